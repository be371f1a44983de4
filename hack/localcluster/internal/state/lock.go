// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Lock is held by the one command that may change the cluster.
type Lock struct {
	path string
	file *os.File
}

// Lock waits for the cluster's lock; waiting is called once if another command holds it.
func (l Layout) Lock(waiting func()) (*Lock, error) {
	for {
		lock, err := tryAcquire("/run/"+l.Name()+".lock", waiting)
		if lock != nil || err != nil {
			return lock, err
		}
	}
}

// tryAcquire returns nil without an error if the file it locked was removed by its last owner in the meantime.
func tryAcquire(path string, waiting func()) (*Lock, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock: %w", err)
	}
	if err := flock(file, waiting); err != nil {
		return nil, errors.Join(fmt.Errorf("locking: %w", err), file.Close())
	}
	held, heldErr := file.Stat()
	current, currentErr := os.Stat(path)
	if heldErr != nil || currentErr != nil || !os.SameFile(held, current) {
		return nil, file.Close()
	}
	return &Lock{path: path, file: file}, nil
}

func flock(file *os.File, waiting func()) error {
	err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return err
	}
	waiting()
	return unix.Flock(int(file.Fd()), unix.LOCK_EX)
}

// Release gives the lock back and leaves no file.
func (l *Lock) Release() error {
	return errors.Join(os.Remove(l.path), l.file.Close())
}
