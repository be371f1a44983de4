// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package volumes

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func available(count int) []Volume {
	list := make([]Volume, count)
	for i := range list {
		list[i] = Volume{Name: string(rune('a' + i)), Phase: "Available"}
	}
	return list
}

func TestDecide(t *testing.T) {
	full := available(PoolSize)
	cases := map[string]struct {
		volumes []Volume
		folders []string
		want    Plan
	}{
		"an empty node gets a whole pool": {want: Plan{Create: PoolSize}},
		"a full pool is left alone":       {volumes: full},
		"a claimed volume is replaced": {
			volumes: append(available(PoolSize-1), Volume{Name: "taken", Phase: "Bound"}),
			folders: []string{"taken"},
			want:    Plan{Create: 1},
		},
		"a volume given back is wiped": {
			volumes: append(available(PoolSize), Volume{Name: "old", Phase: "Released"}),
			folders: []string{"old"},
			want:    Plan{Wipe: []string{"old"}},
		},
		"a volume whose owner wants it kept is kept": {
			volumes: append(available(PoolSize), Volume{Name: "kept", Phase: "Released", Retained: true}),
			folders: []string{"kept"},
		},
		"a volume that is going is neither wiped twice nor counted": {
			volumes: append(available(PoolSize-1), Volume{Name: "going", Phase: "Released", Deleting: true}),
			folders: []string{"going"},
			want:    Plan{Create: 1},
		},
		"a folder without a volume is removed": {
			volumes: full, folders: []string{"a", "lost"}, want: Plan{Remove: []string{"lost"}},
		},
		"too many ready volumes are no harm": {volumes: available(PoolSize + 2)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Decide(c.volumes, c.folders)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
