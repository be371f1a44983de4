// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"testing"

	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(smallDisk) != "":
		os.Exit(onSmallDisk(m, os.Getenv(smallDisk)))
	case os.Geteuid() == 0:
		os.Exit(enterOwnMounts(m))
	default:
		os.Exit(storetest.Main(m))
	}
}

// smallDisk names the folder that a disk that can be filled is mounted on, in a process with mounts of its own.
const smallDisk = "CHATTENANT_CHAOS_SMALL_DISK"

const failed = 1

// enterOwnMounts runs this very test in a mount namespace of its own, so that what it mounts goes when it goes. Where
// that is not allowed, as in most containers, no disk is filled.
func enterOwnMounts(m *testing.M) int {
	dir, err := os.MkdirTemp("", "chaos")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return failed
	}
	defer func() { _ = os.Remove(dir) }()
	//nolint:gosec,noctx // This very binary, which ends with the test it is.
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Env = append(os.Environ(), smallDisk+"="+dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	// The death signal is sent when the thread ends that started the process.
	runtime.LockOSThread()
	err = cmd.Start()
	if errors.Is(err, syscall.EPERM) {
		signal.Stop(signals)
		return storetest.Main(m)
	}
	if err == nil {
		go pass(signals, cmd.Process)
		err = cmd.Wait()
	}
	var ended *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended) && ended.ExitCode() > 0:
		return ended.ExitCode()
	default:
		fmt.Fprintln(os.Stderr, "run with mounts of its own:", err)
		return failed
	}
}

func pass(signals <-chan os.Signal, to *os.Process) {
	for s := range signals {
		_ = to.Signal(s)
	}
}

// diskSize holds a small database, its log and its write-ahead log, and a standby's.
const diskSize = "size=640m,mode=0755"

// onSmallDisk runs the tests where a disk that can be filled is mounted on dir.
func onSmallDisk(m *testing.M, dir string) int {
	// What is mounted here must not show outside.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		fmt.Fprintln(os.Stderr, "keep mounts private:", err)
		return failed
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, diskSize); err != nil {
		fmt.Fprintln(os.Stderr, "mount a small disk:", err)
		return failed
	}
	return storetest.Main(m)
}
