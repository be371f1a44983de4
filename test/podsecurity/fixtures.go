// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package podsecurity knows the cases by which Kubernetes tests its own Pod Security admission. Tests hold tenants'
// namespaces to them.
package podsecurity

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/yaml"
)

// Verdict is what the level restricted says of a pod.
type Verdict string

// The verdicts, by the names of their folders.
const (
	Refused  Verdict = "fail"
	Admitted Verdict = "pass"
)

// Fixtures are the pods of which level restricted says so, by their names, in the newest version that is not newer than
// the API server. They come with the module that this repository is built with, so that go must be there.
func Fixtures(
	ctx context.Context, server *version.Version, says Verdict,
) (map[string]*unstructured.Unstructured, error) {
	folder, err := newest(ctx, server)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(folder, string(says), "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("look for fixtures: %w", err)
	}
	found := make(map[string]*unstructured.Unstructured, len(files))
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read fixture: %w", err)
		}
		pod := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(content, &pod.Object); err != nil {
			return nil, fmt.Errorf("read fixture %s: %w", file, err)
		}
		found[filepath.Base(folder)+" "+strings.TrimSuffix(filepath.Base(file), ".yaml")] = pod
	}
	return found, nil
}

func newest(ctx context.Context, server *version.Version) (string, error) {
	const module = "k8s.io/pod-security-admission"
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("find module %s: %w", module, err)
	}
	folders, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "test", "testdata", "restricted", "v1.*"))
	if err != nil {
		return "", fmt.Errorf("look for fixtures: %w", err)
	}
	best, last := "", version.MustParseGeneric("0.0")
	for _, folder := range folders {
		of, err := version.ParseGeneric(filepath.Base(folder))
		if err != nil {
			return "", fmt.Errorf("read the version of fixtures: %w", err)
		}
		if last.LessThan(of) && !server.LessThan(of) {
			best, last = folder, of
		}
	}
	if best == "" {
		return "", errors.New("no fixtures for this API server")
	}
	return best, nil
}
