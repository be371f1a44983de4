// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// credential is the user PostgreSQL runs as; nil is the test's own. PostgreSQL refuses to run as root.
type credential struct{ uid, gid uint32 }

func findUser(tb testing.TB) *credential {
	tb.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		tb.Fatalf("PostgreSQL does not run as root and there is no user postgres: %v", err)
	}
	return &credential{uid: parseID(tb, account.Uid), gid: parseID(tb, account.Gid)}
}

func parseID(tb testing.TB, id string) uint32 {
	tb.Helper()
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		tb.Fatal(err)
	}
	return uint32(n)
}

// sysProcAttr makes the kernel stop the server when the test process dies, however it dies.
func (c *credential) sysProcAttr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT, Setpgid: true}
	if c != nil {
		attr.Credential = &syscall.Credential{Uid: c.uid, Gid: c.gid}
	}
	return attr
}

func (c *Cluster) own(tb testing.TB, paths ...string) {
	tb.Helper()
	if c.user == nil {
		return
	}
	for _, path := range paths {
		if err := os.Chown(path, int(c.user.uid), int(c.user.gid)); err != nil {
			tb.Fatal(err)
		}
	}
}

const stopTimeout = time.Minute

// runTied starts cmd on a thread of its own, because the kernel sends the death signal when that thread ends. The
// returned function signals the process and waits for its end.
func runTied(tb testing.TB, cmd *exec.Cmd, logFile string) func(syscall.Signal) {
	tb.Helper()
	log, err := os.OpenFile(filepath.Clean(logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer close(ended)
		defer func() { _ = log.Close() }()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		tb.Fatalf("start %s: %v", cmd.Path, err)
	}
	return func(sig syscall.Signal) {
		_ = cmd.Process.Signal(sig)
		select {
		case <-ended:
		case <-time.After(stopTimeout):
			_ = cmd.Process.Kill()
			<-ended
		}
	}
}
