// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"os"
	"testing"
)

func TestParseStat(t *testing.T) {
	const tail = " 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 9 9"
	cases := map[string]struct {
		stat    string
		ticks   uint64
		running bool
	}{
		"an ordinary process":                        {"12 (etcd) S" + tail, 4711, true},
		"a name with spaces and parentheses":         {"12 (a) b (c) R" + tail, 4711, true},
		"one of which only the exit status is left":  {"12 (etcd) Z" + tail, 0, false},
		"something cut short":                        {"12 (etcd) S 1 1", 0, false},
		"something that is no process's description": {"", 0, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if ticks, running := parseStat(c.stat); ticks != c.ticks || running != c.running {
				t.Errorf("got %d, %v", ticks, running)
			}
		})
	}
}

func ownRecord(t *testing.T) Record {
	t.Helper()
	boot, err := bootID()
	if err != nil {
		t.Fatal(err)
	}
	ticks, running := startTicks(os.Getpid())
	if !running {
		t.Fatal("this process does not run")
	}
	return Record{PID: os.Getpid(), StartTicks: ticks, BootID: boot, Digest: "digest"}
}

func TestARecordIsOfOneProcessOnly(t *testing.T) {
	if !ownRecord(t).alive() {
		t.Error("this process is not taken for itself")
	}
	cases := map[string]func(*Record){
		"a later process with the same number": func(r *Record) { r.StartTicks++ },
		"a process before the last boot":       func(r *Record) { r.BootID = "another" },
		"a process that is gone":               func(r *Record) { r.PID = 1 << 30 },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			record := ownRecord(t)
			change(&record)
			if record.alive() {
				t.Error("is taken for this process")
			}
		})
	}
}

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	dir := t.TempDir()
	if record, err := readRecord(dir); record != nil || err != nil {
		t.Fatalf("a machine that was never started has record %v, %v", record, err)
	}
	want := ownRecord(t)
	if err := want.write(dir); err != nil {
		t.Fatal(err)
	}
	got, err := readRecord(dir)
	if err != nil || *got != want {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestASpecIsIdentifiedByAllOfIt(t *testing.T) {
	first, err := Spec{Name: "eu-1", Files: map[string]any{"a": "1"}}.Digest()
	if err != nil {
		t.Fatal(err)
	}
	again, _ := Spec{Name: "eu-1", Files: map[string]any{"a": "1"}}.Digest()
	changed, _ := Spec{Name: "eu-1", Files: map[string]any{"a": "2"}}.Digest()
	if again != first || changed == first {
		t.Errorf("digests are %s, %s and %s", first, again, changed)
	}
}
