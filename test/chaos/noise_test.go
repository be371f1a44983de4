// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// mostLines is what a replica may log in one second, whatever fails: a line per conversation of every reader, and some.
// A replica that logs more tries without a pause.
const mostLines = 1000

// checkNoise looks for a replica that did not wait before it tried again.
func (w *world) checkNoise(r *replica) error {
	log, err := os.Open(r.logFile)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer func() { _ = log.Close() }()
	second, lines, err := loudest(log)
	if lines > mostLines {
		w.oracle.Violated("%s logged %d lines in the second from %s", r.name, lines, second.Format(time.TimeOnly))
	}
	return err
}

// loudest finds the second with the most lines. What is no log line, as the words of a panic, is not counted.
func loudest(log io.Reader) (second time.Time, lines int, err error) {
	counts := map[time.Time]int{}
	scanner := bufio.NewScanner(log)
	const longest = 1 << 20
	scanner.Buffer(nil, longest)
	for scanner.Scan() {
		var line struct {
			Time time.Time `json:"ts"`
		}
		if json.Unmarshal(scanner.Bytes(), &line) != nil {
			continue
		}
		at := line.Time.Truncate(time.Second)
		counts[at]++
		if counts[at] > lines {
			second, lines = at, counts[at]
		}
	}
	if err := scanner.Err(); err != nil {
		return second, lines, fmt.Errorf("read log: %w", err)
	}
	return second, lines, nil
}

func TestTheLoudestSecondOfALogIsFound(t *testing.T) {
	log := strings.Join([]string{
		`{"ts":"2026-01-02T03:04:05.1Z","msg":"Serving"}`,
		`{"ts":"2026-01-02T03:04:06.1Z","msg":"Cannot"}`,
		`panic: at the disco`,
		`{"ts":"2026-01-02T03:04:06.9Z","msg":"Cannot"}`,
	}, "\n")
	second, lines, err := loudest(strings.NewReader(log))
	if want := time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC); !second.Equal(want) || lines != 2 || err != nil {
		t.Errorf("%d lines at %v, %v", lines, second, err)
	}
}
