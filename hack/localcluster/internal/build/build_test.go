// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package build

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// module writes a module with one program that links under two names.
func module(t *testing.T) (Builder, Module) {
	t.Helper()
	source, cache := t.TempDir(), t.TempDir()
	write(t, filepath.Join(source, "tiny", "go.mod"), "module example.com/tiny\n\ngo 1.26.0\n")
	write(t, filepath.Join(source, "tiny", "kube", "main.go"), "package main\n\nfunc main() {}\n")
	return Builder{Source: source, Cache: cache, Log: io.Discard}, Module{name: "tiny", links: []string{"kubelet"}}
}

func mustBuild(t *testing.T, b Builder, m Module) (string, bool) {
	t.Helper()
	dir, built, err := b.Build(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return dir, built
}

func TestAModuleIsBuiltOnceForItsContent(t *testing.T) {
	builder, m := module(t)
	first, built := mustBuild(t, builder, m)
	if !built {
		t.Error("nothing was built")
	}
	if _, err := os.Stat(filepath.Join(first, "kubelet")); err != nil {
		t.Errorf("the program's other name: %v", err)
	}
	if again, built := mustBuild(t, builder, m); built || again != first {
		t.Error("an unchanged module was built again")
	}
	write(t, filepath.Join(builder.Source, "tiny", "kube", "main.go"), "package main\n\nfunc main() { println() }\n")
	if changed, built := mustBuild(t, builder, m); !built || changed == first {
		t.Error("a changed module was not built again")
	}
}

func TestAFailedBuildLeavesNothingBehind(t *testing.T) {
	builder, m := module(t)
	write(t, filepath.Join(builder.Source, "tiny", "kube", "main.go"), "package main\n\nfunc main() { broken }\n")
	if _, _, err := builder.Build(t.Context(), m); err == nil {
		t.Fatal("broken code was built")
	}
	entries, err := os.ReadDir(filepath.Join(builder.Cache, "programs"))
	if err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestDigestIgnoresWhatIsNotCompiled(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module x\n")
	before, err := Digest(dir)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "README.md"), "text")
	write(t, filepath.Join(dir, "a_test.go"), "package x\n")
	after, err := Digest(dir)
	if err != nil || after != before {
		t.Errorf("digest changed from %s to %s, %v", before, after, err)
	}
}
