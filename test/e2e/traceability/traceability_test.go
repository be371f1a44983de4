// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package traceability keeps docs/traceability.md honest: every promise is in it, and every test that it names exists.
package traceability

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	root     = "../../.."
	document = root + "/docs/traceability.md"
	pages    = root + "/chatserver/web/app"

	// The numbers of promises: S01 to S35 and B01 to B14.
	promisesOfServices = 35
	promisesBeyond     = 14
)

var (
	goTest  = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Za-z0-9]+)`")
	webTest = regexp.MustCompile("`([a-z][a-z/-]*\\.test\\.ts)`")
	defined = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)[A-Za-z0-9]+)\(`)
)

func TestEveryPromiseNamesItsTestsOrSaysThatItHasNone(t *testing.T) {
	rows := map[string]string{}
	for line := range strings.Lines(read(t, document)) {
		if cells := strings.Split(line, "|"); len(cells) > 3 {
			rows[strings.TrimSpace(cells[1])] = line
		}
	}
	for _, id := range ids() {
		row, found := rows[id]
		if !found {
			t.Errorf("%s is missing", id)
			continue
		}
		if !goTest.MatchString(row) && !webTest.MatchString(row) && !strings.Contains(strings.ToLower(row), "*no test") {
			t.Errorf("%s neither names a test nor says that it has none", id)
		}
	}
}

func TestEveryTestThatIsNamedExists(t *testing.T) {
	text, known := read(t, document), goTests(t)
	for _, match := range goTest.FindAllStringSubmatch(text, -1) {
		if !known[match[1]] {
			t.Errorf("there is no test %s", match[1])
		}
	}
	for _, match := range webTest.FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join(pages, match[1])); err != nil {
			t.Errorf("there is no test %s: %v", match[1], err)
		}
	}
}

func TestFuzzTargetsAndBenchmarksCountAsTests(t *testing.T) {
	for _, kind := range []string{"Test", "Fuzz", "Benchmark"} {
		row, source := "| shown by `"+kind+"Something` |", "\nfunc "+kind+"Something(f *testing.F) {\n"
		if named := goTest.FindStringSubmatch(row); len(named) != 2 || named[1] != kind+"Something" {
			t.Errorf("%s is named as %q", kind, named)
		}
		if found := defined.FindStringSubmatch(source); len(found) != 2 || found[1] != kind+"Something" {
			t.Errorf("%s is defined as %q", kind, found)
		}
	}
}

func TestEveryEndToEndTestIsTraced(t *testing.T) {
	text := read(t, document)
	files, err := filepath.Glob("../*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("found no end-to-end tests: %v", err)
	}
	for _, file := range files {
		for _, match := range defined.FindAllStringSubmatch(read(t, file), -1) {
			if name := match[1]; name != "TestMain" && !strings.Contains(text, "`"+name+"`") {
				t.Errorf("%s shows nothing that the document names", name)
			}
		}
	}
}

func ids() []string {
	var all []string
	for i := 1; i <= promisesOfServices; i++ {
		all = append(all, fmt.Sprintf("S%02d", i))
	}
	for i := 1; i <= promisesBeyond; i++ {
		all = append(all, fmt.Sprintf("B%02d", i))
	}
	return all
}

// goTests are the names of all tests of the repository.
func goTests(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, "_test.go") {
			for _, match := range defined.FindAllStringSubmatch(read(t, path), -1) {
				found[match[1]] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
