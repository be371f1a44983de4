// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package auditlog reads the API server's audit log: what a component really asked for, as told by the other side.
package auditlog

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// longestLine bounds one event. At level Metadata an event holds no bodies, but admission may annotate it.
const longestLine = 4 << 20

// Log is an audit log in the API server's JSON format. Rotated files lie beside it.
type Log struct {
	path string
}

// Open returns the log at path, which must exist.
func Open(path string) (Log, error) {
	if _, err := os.Stat(path); err != nil {
		return Log{}, fmt.Errorf("find audit log: %w", err)
	}
	return Log{path: path}, nil
}

// Event is one request, as the API server notes it.
type Event = auditv1.Event

// Filter says which events are of interest.
type Filter func(*Event) bool

// All returns the matching events of the whole log, rotated files included. Only lines that contain hint are looked
// into: the log is large, and decoding every line would take minutes.
func (l Log) All(hint string, matches Filter) ([]Event, error) {
	extension := filepath.Ext(l.path)
	files, err := filepath.Glob(strings.TrimSuffix(l.path, extension) + "*" + extension)
	if err != nil {
		return nil, fmt.Errorf("find rotated audit logs: %w", err)
	}
	var found []Event
	for _, path := range files {
		events, err := readFile(path, hint, matches)
		if err != nil {
			return nil, err
		}
		found = append(found, events...)
	}
	return found, nil
}

func readFile(path, hint string, matches Filter) ([]Event, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	defer func() { _ = file.Close() }()
	return decode(file, hint, matches)
}

// decode reads events, one a line. A last line that is still being written is left out.
func decode(from io.Reader, hint string, matches Filter) ([]Event, error) {
	lines := bufio.NewReaderSize(from, longestLine)
	var found []Event
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read audit log: %w", err)
		}
		if !bytes.Contains(line, []byte(hint)) {
			continue
		}
		var event Event
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, fmt.Errorf("decode audit event: %w", err)
		}
		if matches(&event) {
			found = append(found, event)
		}
	}
}
