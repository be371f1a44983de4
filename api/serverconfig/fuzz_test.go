// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package serverconfig_test

import (
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/chattenant/chattenant/api/serverconfig"
)

// FuzzParse finds that a configuration that was taken is taken again as it was understood.
func FuzzParse(f *testing.F) {
	f.Add([]byte(complete))
	for _, seed := range []string{"", "{}", "[]", "kind: ChatServerConfiguration", "a: &a [*a]", "drainSeconds: 1e9"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := serverconfig.Parse(data)
		if err != nil {
			if c != nil {
				t.Fatalf("a configuration with error %v", err)
			}
			return
		}
		understood, err := yaml.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := serverconfig.Parse(understood); err != nil {
			t.Fatalf("understood as\n%s\nwhich is refused: %v", understood, err)
		}
	})
}
