// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// File descriptors that the starter hands to the first process.
const (
	wiredFD         = 3
	firstListenerFD = 4
)

// Init is the first process of a machine; now is the clock. It returns only with an error, with which the machine ends.
func Init(ctx context.Context, specPath string, now func() time.Time) error {
	spec, err := readSpec(specPath)
	if err != nil {
		return err
	}
	if err := furnish(spec); err != nil {
		return err
	}
	if err := awaitNetwork(); err != nil {
		return err
	}
	for _, argv := range spec.Setup {
		if output, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w: %s", argv, err, output)
		}
	}
	slog.Info("the network is there", "machine", spec.Name, "processes", len(spec.Processes))
	return newSupervisor(spec, now).run(ctx)
}

func readSpec(path string) (Spec, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return Spec{}, err
	}
	var spec Spec
	if err := json.Unmarshal(content, &spec); err != nil {
		return Spec{}, fmt.Errorf("reading the spec: %w", err)
	}
	return spec, nil
}

// furnish gives the machine its name, its file system and its kernel settings.
func furnish(spec Spec) error {
	if err := unix.Sethostname([]byte(spec.Name)); err != nil {
		return fmt.Errorf("naming the host: %w", err)
	}
	if err := mountAll(spec); err != nil {
		return err
	}
	if err := setSysctls(spec.Sysctls); err != nil {
		return err
	}
	if err := writeFiles(spec.Files); err != nil {
		return err
	}
	return os.Setenv("TMPDIR", "/var/tmp")
}

// setSysctls skips settings of IPv6 where the kernel has none.
func setSysctls(values map[string]string) error {
	for path, value := range values {
		err := os.WriteFile(filepath.Join("/proc/sys", path), []byte(value), 0o600)
		if errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(path, "net/ipv6/") {
			continue
		}
		if err != nil {
			return fmt.Errorf("setting %s: %w", path, err)
		}
	}
	return nil
}

func writeFiles(files map[string]any) error {
	for name, content := range files {
		text, isText := content.(string)
		if !isText {
			encoded, err := json.Marshal(content)
			if err != nil {
				return fmt.Errorf("encoding %s: %w", name, err)
			}
			text = string(encoded)
		}
		path := filepath.Join(ConfigDir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// awaitNetwork waits for the starter's word. If the starter dies first, so does the machine.
func awaitNetwork() error {
	wired := os.NewFile(wiredFD, "wired")
	defer func() { _ = wired.Close() }()
	if _, err := wired.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("waiting for the network: %w", err)
	}
	return nil
}
