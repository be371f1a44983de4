// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestEveryFieldIsDocumented(t *testing.T) {
	for kind, nodes := range schemas(t) {
		page := specPage(t, kind)
		for _, n := range nodes {
			if n.at == "" || n.at == "spec" || n.at == "status" || strings.HasSuffix(n.at, "[]") || strings.HasSuffix(n.at,
				".*") {
				continue
			}
			if !strings.Contains(page, "`"+n.at+"`") {
				t.Errorf("docs/spec/%s.md does not mention `%s`", strings.ToLower(kind), n.at)
			}
			for _, choice := range n.Enum {
				if value := strings.Trim(string(choice.Raw), `"`); !strings.Contains(page, "`"+value+"`") {
					t.Errorf("docs/spec/%s.md does not mention `%s`, a value of %s", strings.ToLower(kind), value, n.at)
				}
			}
		}
	}
}

func TestEveryColumnIsDocumented(t *testing.T) {
	for _, d := range definitions(t) {
		_, columns, _ := strings.Cut(specPage(t, d.Spec.Names.Kind), "## Columns")
		for _, column := range d.Spec.Versions[0].AdditionalPrinterColumns {
			if !strings.Contains(columns, column.Name) {
				t.Errorf("docs/spec/%s.md does not mention the column %s", strings.ToLower(d.Spec.Names.Kind), column.Name)
			}
		}
	}
}

func TestEveryConditionAndReasonIsDocumented(t *testing.T) {
	page, found := specPage(t, "ChatTenant"), 0
	for name, value := range stringConstants(t, filepath.Join(root, "api", "v1alpha1", "conditions.go")) {
		found++
		if !strings.Contains(page, "| `"+value+"` |") {
			t.Errorf("no row of docs/spec/chattenant.md begins with `%s`, the value of %s", value, name)
		}
	}
	if found < 20 {
		t.Errorf("found %d constants, want all conditions and reasons", found)
	}
}

func specPage(t *testing.T, kind string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "docs", "spec", strings.ToLower(kind)+".md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// stringConstants are the constants of a file by their names.
func stringConstants(t *testing.T, file string) map[string]string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != len(spec.Names) {
			return true
		}
		for i, value := range spec.Values {
			literal, ok := value.(*ast.BasicLit)
			if !ok {
				continue
			}
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			found[spec.Names[i].Name] = text
		}
		return true
	})
	return found
}
