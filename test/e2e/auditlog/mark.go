// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package auditlog

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Mark is a place in the log. The API server writes an event before it answers the request, so everything that was
// answered after the mark was taken lies behind it.
type Mark struct {
	log    Log
	file   *os.File
	offset int64
}

// Mark takes the current end of the log. Close it.
func (l Log) Mark() (*Mark, error) {
	file, err := os.Open(l.path)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	offset, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("seek in audit log: %w", err), file.Close())
	}
	return &Mark{log: l, file: file, offset: offset}, nil
}

// Close lets go of the log.
func (m *Mark) Close() error { return m.file.Close() }

// Events returns the matching events from the mark to now. It may be called again: the mark does not move.
func (m *Mark) Events(hint string, matches Filter) ([]Event, error) {
	if _, err := m.file.Seek(m.offset, io.SeekStart); err != nil {
		return nil, fmt.Errorf("seek in audit log: %w", err)
	}
	events, err := decode(m.file, hint, matches)
	if err != nil {
		return nil, err
	}
	rotated, err := m.rotated()
	if err != nil || !rotated {
		return events, err
	}
	rest, err := readFile(m.log.path, hint, matches)
	return append(events, rest...), err
}

// rotated says whether the log goes on in another file than the marked one. The marked one stays readable.
func (m *Mark) rotated() (bool, error) {
	marked, err := m.file.Stat()
	if err != nil {
		return false, fmt.Errorf("look at marked audit log: %w", err)
	}
	current, err := os.Stat(m.log.path)
	if err != nil {
		return false, fmt.Errorf("look at audit log: %w", err)
	}
	return !os.SameFile(marked, current), nil
}
