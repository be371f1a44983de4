// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite testdata from what the builders return now; review the difference")

func TestEachScenarioRendersItsGoldenFiles(t *testing.T) {
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			directory := filepath.Join("testdata", s.name)
			want := render(t, s)
			if *update {
				write(t, directory, want)
			}
			if diff := cmp.Diff(read(t, directory), want); diff != "" {
				t.Errorf("golden files differ (-golden +built); go test -update rewrites them:\n%s", diff)
			}
		})
	}
}

func TestBuildersReturnTheSameForTheSameInput(t *testing.T) {
	first, second := scenarios(), scenarios()
	for i := range first {
		if diff := cmp.Diff(render(t, first[i]), render(t, second[i])); diff != "" {
			t.Errorf("%s: a second call differs:\n%s", first[i].name, diff)
		}
	}
}

func TestBuildersLeaveTheirInputAlone(t *testing.T) {
	for _, in := range []Input{minimalInput(), fullInput()} {
		before := decode[map[string]any](t, in)
		everything(in)
		RetainedNamespace(in)
		if diff := cmp.Diff(before, decode[map[string]any](t, in)); diff != "" {
			t.Errorf("input changed:\n%s", diff)
		}
	}
}

// render returns one file per phase, leaving out phases without objects.
func render(t *testing.T, s scenario) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, p := range s.phases {
		documents := make([]string, 0, len(p.objects))
		for _, object := range p.objects {
			data, err := yaml.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			documents = append(documents, string(data))
		}
		if len(documents) > 0 {
			files[p.name+".yaml"] = strings.Join(documents, "---\n")
		}
	}
	return files
}

func read(t *testing.T, directory string) map[string]string {
	t.Helper()
	golden := os.DirFS(directory)
	entries, err := fs.ReadDir(golden, ".")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, entry := range entries {
		data, err := fs.ReadFile(golden, entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		files[entry.Name()] = string(data)
	}
	return files
}

// write also removes files of phases that have no objects any more.
func write(t *testing.T, directory string, files map[string]string) {
	t.Helper()
	if err := os.RemoveAll(directory); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(directory, 0o750); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
