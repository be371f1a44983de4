// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// flushLine is what pg_test_fsync says of the method that PostgreSQL uses on Linux, first for one 8 kB write.
var flushLine = regexp.MustCompile(`(?m)^\s+fdatasync\s+([0-9.]+) ops/sec\s+([0-9.]+) usecs/op`)

// TestFsync measures one flush of the disk under the database with pg_test_fsync, and returns its whole output too.
func (s *Server) TestFsync(ctx context.Context) (flush time.Duration, output string, err error) {
	cmd := s.command(ctx, "pg_test_fsync", "--secs-per-test=1", "--filename="+s.file("fsync.test"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, string(out), fmt.Errorf("pg_test_fsync: %w\n%s", err, out)
	}
	flush, err = parseFsync(string(out))
	return flush, string(out), err
}

func parseFsync(output string) (time.Duration, error) {
	found := flushLine.FindStringSubmatch(output)
	if found == nil {
		return 0, fmt.Errorf("pg_test_fsync says nothing of fdatasync:\n%s", output)
	}
	micros, err := strconv.ParseFloat(found[2], 64)
	if err != nil {
		return 0, fmt.Errorf("pg_test_fsync: %w", err)
	}
	return time.Duration(micros * float64(time.Microsecond)), nil
}
