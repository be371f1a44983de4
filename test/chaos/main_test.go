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
	case os.Getenv(ownMounts) != "":
		os.Exit(onSmallDisk(m))
	case os.Geteuid() == 0:
		os.Exit(enterOwnMounts())
	default:
		os.Exit(storetest.Main(m))
	}
}

const (
	// ownMounts says that this process has a mount namespace of its own.
	ownMounts = "CHATTENANT_CHAOS_OWN_MOUNTS"
	// smallDisk names the folder of the disk that can be filled.
	smallDisk = "CHATTENANT_CHAOS_SMALL_DISK"
)

const failed = 1

// enterOwnMounts runs this very test in a mount namespace of its own, so that what it mounts goes when it goes.
func enterOwnMounts() int {
	cmd := exec.Command(os.Args[0], os.Args[1:]...) //nolint:noctx // Ends with the test it is.
	cmd.Env = append(os.Environ(), ownMounts+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	// The death signal is sent when the thread ends that started the process.
	runtime.LockOSThread()
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "run with mounts of its own:", err)
		return failed
	}
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	err := cmd.Wait()
	var ended *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended) && ended.ExitCode() > 0:
		return ended.ExitCode()
	default:
		return failed
	}
}

// diskSize holds an empty database, its log and its write-ahead log.
const diskSize = "size=384m,mode=0755"

// onSmallDisk runs the tests with everything temporary, PostgreSQL's data above all, on a disk that can be filled.
func onSmallDisk(m *testing.M) int {
	dir, err := os.MkdirTemp("", "chaos")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return failed
	}
	defer func() { _ = os.Remove(dir) }()
	err = errors.Join(
		// What is mounted here must not show outside.
		os.NewSyscallError("keep mounts private", syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")),
		os.NewSyscallError("mount a small disk", syscall.Mount("tmpfs", dir, "tmpfs", 0, diskSize)),
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return failed
	}
	defer func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }()
	if err := os.Setenv(smallDisk, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return failed
	}
	return storetest.Main(m)
}
