// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package images

import "testing"

const table = `REF TYPE DIGEST SIZE PLATFORMS LABELS
chattenant.local/pause:local    application/vnd.oci.image.manifest.v1+json sha256:abc 1.0 MiB linux/amd64 -
chattenant.local/pause@sha256:abc application/vnd.oci.image.manifest.v1+json sha256:abc 1.0 MiB linux/amd64 -
`

func TestAnImageIsPresentOnlyUnderBothItsNamesAndItsDigest(t *testing.T) {
	present := parseList(table)
	cases := map[string]struct {
		image Image
		want  bool
	}{
		"the same image":                {Image{"chattenant.local/pause:local", "sha256:abc"}, true},
		"another build of it":           {Image{"chattenant.local/pause:local", "sha256:def"}, false},
		"another image":                 {Image{"chattenant.local/other:local", "sha256:abc"}, false},
		"the same build, another label": {Image{"chattenant.local/pause:next", "sha256:abc"}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := allPresent([]Image{c.image}, present); got != c.want {
				t.Errorf("present: %v", got)
			}
		})
	}
}
