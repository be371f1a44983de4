// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"testing"
	"time"
)

const output = `Compare file sync methods using one 8kB write:
(in wal_sync_method preference order, except fdatasync is Linux's default)
        open_datasync                     10096.828 ops/sec      99 usecs/op
        fdatasync                         22275.309 ops/sec      45 usecs/op
        fsync                             23588.938 ops/sec      42 usecs/op

Compare file sync methods using two 8kB writes:
        fdatasync                         20226.676 ops/sec      49 usecs/op
`

func TestOneFlushIsReadFromTheToolsOutput(t *testing.T) {
	if flush, err := parseFsync(output); flush != 45*time.Microsecond || err != nil {
		t.Errorf("got %v, %v", flush, err)
	}
	if _, err := parseFsync("fdatasync n/a"); err == nil {
		t.Error("nothing was measured and there is no error")
	}
}
