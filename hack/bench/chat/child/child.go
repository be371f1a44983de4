// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package child runs a target's server in a process of its own, so that its processor time and memory are its own, and
// asks that process about them.
package child

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/chattenant/chattenant/hack/bench/chat/target"
)

// Usage is what the process has used.
type Usage struct {
	// CPU is user and system time since its start.
	CPU time.Duration `json:"cpu"`
	// Live is the bytes of heap and stacks in use after a collection, Stacks that of stacks, Resident what the kernel
	// has given. They are only in the answer to Memory.
	Live     int64 `json:"live,omitempty"`
	Stacks   int64 `json:"stacks,omitempty"`
	Resident int64 `json:"resident,omitempty"`
}

// command is what the parent asks. An empty one asks for the processor time.
type command struct {
	Memory bool `json:"memory,omitempty"`
	// Profile is the file into which to write a CPU profile; the next command with an empty one ends it.
	Profile     string `json:"profile,omitempty"`
	StopProfile bool   `json:"stopProfile,omitempty"`
	// HeapProfile is the file into which to write what the heap holds.
	HeapProfile string `json:"heapProfile,omitempty"`
}

type greeting struct {
	Address string `json:"address"`
}

// Process is a server under measurement.
type Process struct {
	Address string

	cmd   *exec.Cmd
	ended chan error

	mu      sync.Mutex
	in      io.WriteCloser
	answers *json.Decoder
}

const stopTimeout = 20 * time.Second

// Start runs this program again with args, as the server for site.
func Start(ctx context.Context, site target.Site, args ...string) (*Process, error) {
	p, err := start(ctx, args)
	if err != nil {
		return nil, err
	}
	// Through the pipe, not as arguments: the site holds a password.
	if err := json.NewEncoder(p.in).Encode(site); err != nil { //nolint:gosec // The password of a bench.
		return nil, errors.Join(fmt.Errorf("hand over the site: %w", err), p.Stop())
	}
	var hello greeting
	if err := p.answers.Decode(&hello); err != nil {
		return nil, errors.Join(fmt.Errorf("the server did not start: %w", err), p.Stop())
	}
	p.Address = hello.Address
	return p, nil
}

// start runs this program again with pipes to it.
func start(ctx context.Context, args []string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self, args...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start process: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start process: %w", err)
	}
	p := &Process{cmd: cmd, ended: make(chan error, 1), in: in, answers: json.NewDecoder(bufio.NewReader(out))}
	return p, p.launch()
}

// launch starts the process on a thread of its own: the kernel sends the death signal when that thread ends.
func (p *Process) launch() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.ended <- p.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start server: %w", err)
	}
	return nil
}

// Usage asks for the processor time used so far.
func (p *Process) Usage() (Usage, error) { return p.ask(command{}) }

// Memory asks for memory, after a garbage collection, and writes a heap profile if file is not empty.
func (p *Process) Memory(file string) (Usage, error) {
	return p.ask(command{Memory: true, HeapProfile: file})
}

// StartProfile begins a CPU profile, StopProfile ends it.
func (p *Process) StartProfile(file string) error {
	_, err := p.ask(command{Profile: file})
	return err
}

// StopProfile ends the CPU profile.
func (p *Process) StopProfile() error {
	_, err := p.ask(command{StopProfile: true})
	return err
}

func (p *Process) ask(c command) (u Usage, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := json.NewEncoder(p.in).Encode(c); err != nil {
		return u, fmt.Errorf("ask the server's process: %w", err)
	}
	if err := p.answers.Decode(&u); err != nil {
		return u, fmt.Errorf("ask the server's process: %w", err)
	}
	return u, nil
}

// Stop ends the process.
func (p *Process) Stop() error {
	_ = p.in.Close()
	select {
	case err := <-p.ended:
		if err != nil {
			return fmt.Errorf("the server ended: %w", err)
		}
		return nil
	case <-time.After(stopTimeout):
		_ = p.cmd.Process.Kill()
		return errors.Join(errors.New("the server did not stop and was killed"), <-p.ended)
	}
}
