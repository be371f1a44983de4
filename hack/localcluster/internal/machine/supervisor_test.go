// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// reap collects the exit statuses of the test's children for the supervisor, as the first process of a machine does.
func reap(s *supervisor) {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		if err == nil {
			s.collected(pid, status)
		} else {
			time.Sleep(time.Millisecond)
		}
	}
}

func TestAProcessIsRunToItsEndAndItsOutputLogged(t *testing.T) {
	s := newSupervisor(Spec{Name: "test"}, time.Now)
	s.logDir = t.TempDir()
	go reap(s)
	cases := map[string]struct{ script, outcome string }{
		"fails": {"echo said; echo too >&2; exit 3", "exit status 3"},
		"dies":  {"echo said too; kill -9 $$", "killed"},
	}
	for name, c := range cases {
		outcome := s.once(Process{Name: name, Argv: []string{"/bin/sh", "-c", c.script}})
		if outcome != c.outcome {
			t.Errorf("%s ended with %q, want %q", name, outcome, c.outcome)
		}
		log, err := os.ReadFile(filepath.Join(s.logDir, name+".log"))
		if err != nil || !strings.Contains(string(log), "said") || !strings.Contains(string(log), "too") {
			t.Errorf("log of %s is %q, %v", name, log, err)
		}
	}
	outcome := s.once(Process{Name: "missing", Argv: []string{"/does/not/exist"}})
	if !strings.Contains(outcome, "missing") {
		t.Errorf("a missing program ended with %q", outcome)
	}
}

func TestALargeLogIsPutAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubelet.log")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, maxLog+1); err != nil {
		t.Fatal(err)
	}
	log, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	if info, err := log.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("the new log is not empty: %v", err)
	}
	if _, err := os.Stat(path + ".old"); err != nil {
		t.Errorf("the old log: %v", err)
	}
}

func TestAwaitAddressReturnsOnceSomethingListens(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	done := make(chan struct{})
	go func() { awaitAddress(t.Context(), "unix:"+socket); close(done) }()
	select {
	case <-done:
		t.Fatal("returned although nothing listens")
	case <-time.After(3 * poll):
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Error("does not return although something listens")
	}
}
