// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// A process that keeps ending is restarted ever more slowly, up to maxBackoff.
	minBackoff, maxBackoff = 500 * time.Millisecond, 10 * time.Second
	// A process that ran for this long starts again without delay.
	steadyAfter = 20 * time.Second
	// poll is how often something awaited is looked at.
	poll = 50 * time.Millisecond
	// A log larger than this is put aside when its process starts.
	maxLog = 32 << 20
)

// supervisor keeps a machine's processes running and, as the first process, collects the exit status of every orphan.
type supervisor struct {
	spec   Spec
	logDir string
	now    func() time.Time
	// listeners stay open for ever: a process that is started again gets the same ones.
	listeners []*os.File

	mu    sync.Mutex
	exits map[int]chan unix.WaitStatus
}

func newSupervisor(spec Spec, now func() time.Time) *supervisor {
	logDir := filepath.Join(ClusterDir, "log", spec.Name)
	s := &supervisor{spec: spec, logDir: logDir, now: now, exits: map[int]chan unix.WaitStatus{}}
	for i, address := range spec.Listen {
		s.listeners = append(s.listeners, os.NewFile(uintptr(firstListenerFD+i), address))
	}
	return s
}

// run starts everything and collects exit statuses for ever.
func (s *supervisor) run(ctx context.Context) error {
	for _, process := range s.spec.Processes {
		go s.keep(ctx, process)
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.ECHILD):
			time.Sleep(poll)
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("waiting for processes: %w", err)
		default:
			s.collected(pid, status)
		}
	}
}

// collected hands an exit status to whoever started the process. Most belong to orphans of Pods: nobody asked.
func (s *supervisor) collected(pid int, status unix.WaitStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if waiter, known := s.exits[pid]; known {
		waiter <- status
		delete(s.exits, pid)
	}
}

// keep runs one process again and again.
func (s *supervisor) keep(ctx context.Context, process Process) {
	backoff := minBackoff
	for ctx.Err() == nil {
		awaitAddress(ctx, process.WaitFor)
		begin := s.now()
		outcome := s.once(process)
		ran := s.now().Sub(begin)
		slog.Info("process ended", "name", process.Name, "outcome", outcome, "ran", ran)
		if ran > steadyAfter {
			backoff = minBackoff
			continue
		}
		time.Sleep(backoff)
		backoff = min(2*backoff, maxBackoff)
	}
}

// once runs a process to its end and says how it ended.
func (s *supervisor) once(process Process) string {
	exited, err := s.start(process)
	if err != nil {
		return err.Error()
	}
	status := <-exited
	if status.Signaled() {
		return status.Signal().String()
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}

// start runs a process. The lock is held until it is registered, so that its exit cannot be collected before.
func (s *supervisor) start(process Process) (<-chan unix.WaitStatus, error) {
	log, err := openLog(filepath.Join(s.logDir, process.Name+".log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	files := []*os.File{nil, log, log}
	if process.Listeners {
		files = append(files, s.listeners...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	started, err := os.StartProcess(process.Argv[0], process.Argv, &os.ProcAttr{
		Env: append(os.Environ(), process.Env...), Files: files, Sys: &unix.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", process.Name, err)
	}
	exited := make(chan unix.WaitStatus, 1)
	s.exits[started.Pid] = exited
	return exited, started.Release()
}

// openLog opens a log for appending, after putting a large one aside.
func openLog(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxLog {
		err = os.Rename(path, path+".old")
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// awaitAddress waits until "network:address" accepts connections.
func awaitAddress(ctx context.Context, waitFor string) {
	dialer := net.Dialer{Timeout: time.Second}
	network, address, found := strings.Cut(waitFor, ":")
	for found {
		connection, err := dialer.DialContext(ctx, network, address)
		if err == nil {
			_ = connection.Close()
			return
		}
		time.Sleep(poll)
	}
}
