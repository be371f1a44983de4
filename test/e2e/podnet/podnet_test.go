// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podnet

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestASocketMadeInsideANamespaceSeesThatNamespace(t *testing.T) {
	n := emptyNamespace(t)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", listener.Addr().String()); err != nil {
		t.Fatalf("from our own namespace: %v", err)
	} else {
		_ = conn.Close()
	}
	if _, err := n.DialContext(ctx, "tcp", listener.Addr().String()); !errors.Is(err, unix.ENETUNREACH) {
		t.Errorf("from a namespace whose loopback is down: want %v, got %v", unix.ENETUNREACH, err)
	}
	if _, err := n.DialContext(ctx, "tcp", "localhost:80"); err == nil {
		t.Error("a name was resolved, in whatever namespace")
	}
}

func TestAnEmptyNamespaceHasNoAddresses(t *testing.T) {
	addresses, err := emptyNamespace(t).Addresses()
	if err != nil || len(addresses) != 0 {
		t.Errorf("want no addresses, got %v, %v", addresses, err)
	}
}

func TestOnlyTheFirstProcessOfAContainerIsTakenForIt(t *testing.T) {
	for status, want := range map[string]bool{
		"Name:\tpostgres\nNSpid:\t4711\t1\nThreads:\t1\n":     true,
		"Name:\tpostgres\nNSpid:\t4712\t12\t1\nThreads:\t1\n": true,
		"Name:\tpostgres\nNSpid:\t4713\t31\nThreads:\t1\n":    false,
		"Name:\tsystemd\nNSpid:\t1\nThreads:\t1\n":            false,
		"Name:\told kernel without namespaces\nThreads:\t1\n": false,
		"": false,
	} {
		if got := firstOfNamespace(status); got != want {
			t.Errorf("%q: want %v, got %v", status, want, got)
		}
	}
}

func TestProgramsOfOneFolderAreEndedAndNoOthers(t *testing.T) {
	copied := func(folder string) *exec.Cmd {
		program, err := exec.LookPath("sleep")
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(folder)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(root.WriteFile("sleep", content, 0o700), root.Close()); err != nil {
			t.Fatal(err)
		}
		command := exec.CommandContext(context.Background(), filepath.Join(folder, "sleep"), "60")
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		return command
	}
	folder := t.TempDir()
	mine, others := copied(folder), copied(t.TempDir())
	err := EndPrograms(folder)
	if err != nil {
		_ = mine.Process.Kill()
	}
	if ended := mine.Wait(); err != nil || ended == nil || ended.Error() != "signal: killed" {
		t.Errorf("it ended with %v, %v", ended, err)
	}
	_ = others.Process.Signal(unix.SIGTERM)
	if ended := others.Wait(); ended == nil || ended.Error() != "signal: terminated" {
		t.Errorf("another folder's ended with %v", ended)
	}
}

// emptyNamespace opens the network namespace of a process that was started in a new one.
func emptyNamespace(t *testing.T) *Namespace {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	sleeper := exec.CommandContext(context.Background(), "sleep", "60")
	sleeper.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(sleeper.Process.Kill(), sleeper.Wait()) })
	n, err := open(sleeper.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}
