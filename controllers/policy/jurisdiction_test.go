// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// country matches a quoted code in an expression.
var country = regexp.MustCompile(`'([A-Z]{2})'`)

// TestTheMembersOfEUAndEEAAreTheSameAtAdmission reads the lists of the admission policy: there is no way to share one.
func TestTheMembersOfEUAndEEAAreTheSameAtAdmission(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "config", "admission", "residency.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, variables, _ := strings.Cut(string(content), "- name: eu\n")
	eu, rest, _ := strings.Cut(variables, "- name: eea\n")
	eea, _, _ := strings.Cut(rest, "validations:")
	inEU := codes(eu)
	for set, got := range map[v1alpha1.Jurisdiction][]string{"EU": inEU, "EEA": slices.Concat(inEU, codes(eea))} {
		want := strings.Fields(members[set])
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-operator +admission):\n%s", set, diff)
		}
	}
	if len(members) != 2 {
		t.Errorf("admission knows two sets, the operator %d", len(members))
	}
}

func codes(text string) []string {
	var found []string
	for _, match := range country.FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	return found
}
