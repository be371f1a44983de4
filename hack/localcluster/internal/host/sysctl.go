// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package host changes, and gives back, the few settings of the machine that namespaces do not separate.
package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// procSys is where the kernel's settings are.
const procSys = "/proc/sys"

// minimums are settings that are raised to what dozens of Pods need; each of their watches of a file counts.
var minimums = map[string]int{
	"fs/inotify/max_user_instances": 1024,
	"fs/inotify/max_user_watches":   524288,
}

// touched are settings that kubelets set.
var touched = []string{
	"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys",
	"kernel/keys/root_maxbytes",
}

// modules are parts of the kernel that may have to be loaded; where they are built in there is nothing to load.
var modules = []string{"overlay", "br_netfilter", "ip_tables", "nf_conntrack", "veth", "bridge"}

// Prepare saves the settings in file, unless that was done before, and raises those that are too low.
func Prepare(ctx context.Context, file string) error {
	for _, module := range modules {
		// Failure says nothing: a module that is built in is not found.
		_ = exec.CommandContext(ctx, "modprobe", "--quiet", module).Run()
	}
	if err := save(file); err != nil {
		return err
	}
	for name, minimum := range minimums {
		if err := raise(name, minimum); err != nil {
			return err
		}
	}
	return nil
}

// save keeps the first state it saw: a later one may be the cluster's own doing.
func save(file string) error {
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	values := map[string]string{}
	for _, name := range names() {
		value, err := os.ReadFile(filepath.Join(procSys, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		values[name] = strings.TrimSpace(string(value))
	}
	content, err := json.MarshalIndent(values, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o600)
}

func names() []string {
	all := append([]string{}, touched...)
	for name := range minimums {
		all = append(all, name)
	}
	return all
}

func raise(name string, minimum int) error {
	path := filepath.Join(procSys, name)
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	current, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	if current >= minimum {
		return nil
	}
	return os.WriteFile(path, []byte(strconv.Itoa(minimum)), 0o600)
}

// Restore gives back the settings saved in file, if there is one.
func Restore(file string) error {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var values map[string]string
	if err := json.Unmarshal(content, &values); err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	var failures []error
	for name, value := range values {
		failures = append(failures, os.WriteFile(filepath.Join(procSys, name), []byte(value), 0o600))
	}
	return errors.Join(failures...)
}
