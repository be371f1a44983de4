// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build postgres

package desired

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestASecondServerWaitsUntilTheFirstIsGone stops the first one's main process, as when its pod is frozen while it is
// removed. What it started lives on for a moment after it was killed.
func TestASecondServerWaitsUntilTheFirstIsGone(t *testing.T) {
	m := withCertificates(t, initialised(t))
	first := m.serve(t)
	first.ask(t, "CREATE TABLE kept AS SELECT 'as it was' AS text")
	if err := first.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	second := m.start(t)
	time.Sleep(time.Second)
	if name := programOf(t, second); name != "flock" {
		t.Errorf("beside the first server runs %s:\n%s", name, second.readLog(t))
	}
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	second.awaitReady(t)
	if got := second.ask(t, "SELECT text FROM kept"); got != "as it was" {
		t.Errorf("the table holds %q", got)
	}
}

// programOf names the program that a server's first process is.
func programOf(t *testing.T, s *server) string {
	t.Helper()
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(name))
}
