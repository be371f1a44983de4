// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"testing"
	"time"
)

func TestARevisionIsReadAsItWasWritten(t *testing.T) {
	want := revision{"0123456789abcdef", 2, time.Unix(1900000000, 0)}
	if got := parseRevision(want.String()); got != want {
		t.Errorf("%s is read as %+v", want, got)
	}
	for _, text := range []string{"", "abc", "abc.1", "abc.x.1", "abc.1.x", "...", "abc.1.2.3"} {
		if got := parseRevision(text); got != (revision{}) {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}
