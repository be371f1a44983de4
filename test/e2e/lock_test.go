// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// acquire waits until no other run of these tests is under way on this machine: they share one cluster, and one run's
// broken tenant is another's failure. Closing the file, or the end of the process, gives way to the next.
func acquire() (*os.File, error) {
	path := filepath.Join(os.TempDir(), "chattenant-e2e.lock")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		return file, nil
	}
	fmt.Fprintln(os.Stderr, "e2e: waiting for another run of these tests")
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return file, nil
}
