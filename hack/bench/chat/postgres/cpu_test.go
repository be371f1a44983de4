// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import "testing"

func TestTheServersTimeIsThatOfItsBackendsToo(t *testing.T) {
	const rest = " 0 0 0 0 0 0 0 0"
	s := &Server{pid: 7}
	for name, c := range map[string]struct {
		pid, stat string
		want      int64
	}{
		"the server with ended backends": {"7", "7 (postgres) S 1 7 7 0 -1 4 5 6 7 8 10 20 300 4000" + rest, 4330},
		"a backend":                      {"9", "9 (a) b) (x) R 7 7 7 0 -1 4 5 6 7 8 10 20 300 4000" + rest, 30},
		"another process":                {"8", "8 (postgres) S 1 7 7 0 -1 4 5 6 7 8 10 20 300 4000" + rest, 0},
	} {
		if got, err := s.ticksOf(c.pid, c.stat); got != c.want || err != nil {
			t.Errorf("%s: got %d, %v, want %d", name, got, err, c.want)
		}
	}
	if _, err := s.ticksOf("7", "nonsense"); err == nil {
		t.Error("nonsense is understood")
	}
}
