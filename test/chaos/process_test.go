// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is a running program that dies with the test.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// start runs cmd from a thread of its own, because the kernel sends the death signal when that thread ends.
func start(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer close(p.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// signal reaches a process that has ended already without harm.
func (p *process) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// crashed tells an end by panic, data race or signal from one that the program decided on.
func (p *process) crashed() bool {
	const goPanic, dataRace = 2, 66
	code := p.cmd.ProcessState.ExitCode()
	return code == goPanic || code == dataRace || code < 0
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
