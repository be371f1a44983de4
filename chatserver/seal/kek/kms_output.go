// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package kek

import (
	"bytes"
	"errors"
	"io/fs"
	"os/exec"
	"strings"
	"syscall"
)

// longestComplaint is as much of a helper's standard error as belongs into a log, in bytes.
const longestComplaint = 500

// unlessMissing says that a program that could not be run is worth another try, unless it is not there or no program.
func unlessMissing(err error) error {
	for _, hopeless := range []error{fs.ErrNotExist, fs.ErrPermission, exec.ErrNotFound, exec.ErrDot, syscall.ENOEXEC} {
		if errors.Is(err, hopeless) {
			return ErrUnusable
		}
	}
	return ErrUnavailable
}

// beginning keeps the beginning of what is written to it.
type beginning struct {
	bytes.Buffer
	most int
}

// Write never fails: a helper that says too much is not stopped for it.
func (b *beginning) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), max(0, b.most-b.Len()))])
	return len(p), nil
}

// line is all of it on one line, as what it may be: text.
func (b *beginning) line() string {
	return strings.ToValidUTF8(strings.Join(strings.Fields(b.String()), " "), "")
}
