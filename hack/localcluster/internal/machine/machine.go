// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chattenant/chattenant/hack/localcluster/internal/cgroup"
)

const (
	specFile = "spec.json"
	// killPatience is how long the kernel may take to end a machine.
	killPatience = 20 * time.Second
)

// Machine is a machine on this host, running or not.
type Machine struct {
	name   string
	dir    string
	logDir string
	tree   cgroup.Tree
	wired  *os.File
}

// New returns the machine called name, whose files are in dir and whose logs go to logDir.
func New(name, dir, logDir string, tree cgroup.Tree) *Machine {
	return &Machine{name: name, dir: dir, logDir: logDir, tree: tree}
}

// Name is the machine's host name.
func (m *Machine) Name() string { return m.name }

// PID is the machine's first process on the host, or 0 if it does not run.
func (m *Machine) PID() (int, error) {
	record, err := readRecord(m.dir)
	if err != nil || record == nil || !record.alive() {
		return 0, err
	}
	return record.PID, nil
}

// Ensure starts the machine if it does not run, or runs by another spec. It reports whether it started it; then
// Wired must be called once its network is there.
func (m *Machine) Ensure(ctx context.Context, spec Spec) (started bool, err error) {
	digest, err := spec.Digest()
	if err != nil {
		return false, err
	}
	record, err := readRecord(m.dir)
	if err != nil {
		return false, err
	}
	if record != nil && record.alive() && record.Digest == digest {
		return false, nil
	}
	if err := m.prepare(spec); err != nil {
		return false, err
	}
	return true, m.start(ctx, spec, digest)
}

// prepare ends what is left of an earlier start and writes what the new one reads.
func (m *Machine) prepare(spec Spec) error {
	parent := filepath.Dir(spec.Cgroup)
	if _, err := m.tree.Kill(parent, killPatience); err != nil {
		return err
	}
	// Groups of Pods that are no more would keep a new kubelet busy for seconds each.
	if err := m.tree.Remove(parent); err != nil {
		return fmt.Errorf("removing control groups: %w", err)
	}
	if err := m.tree.Create(spec.Cgroup); err != nil {
		return fmt.Errorf("creating control groups: %w", err)
	}
	for _, dir := range []string{m.dir, m.logDir, filepath.Join(spec.State, spec.Var, "tmp")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	content, err := json.MarshalIndent(spec, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(m.dir, specFile), content, 0o600)
}

// start runs this program as the machine's first process, which waits for the network.
func (m *Machine) start(ctx context.Context, spec Spec, digest string) error {
	files, err := openListeners(ctx, spec.Listen)
	if err != nil {
		return err
	}
	defer closeAll(files)
	ready, wired, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = ready.Close() }()
	log, err := os.OpenFile(filepath.Join(m.logDir, "init.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	// The machine outlives this command, and so its context.
	command := exec.CommandContext(context.WithoutCancel(ctx), "/proc/self/exe", "init", filepath.Join(m.dir, specFile))
	command.Stdout, command.Stderr = log, log
	command.ExtraFiles = append([]*os.File{ready}, files...)
	command.Dir = "/"
	command.SysProcAttr = &unix.SysProcAttr{
		Setsid: true,
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS |
			unix.CLONE_NEWIPC,
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", m.name, err)
	}
	m.wired = wired
	return m.adopt(command.Process.Pid, spec.Cgroup, digest)
}

// adopt moves the new process into its control group, before it starts any other, and records it.
func (m *Machine) adopt(pid int, group, digest string) error {
	if err := m.tree.Join(group, pid); err != nil {
		return errors.Join(err, unix.Kill(pid, unix.SIGKILL))
	}
	boot, err := bootID()
	if err != nil {
		return err
	}
	ticks, running := startTicks(pid)
	if !running {
		return fmt.Errorf("%s ended at once, see %s", m.name, m.logDir)
	}
	return Record{PID: pid, StartTicks: ticks, BootID: boot, Digest: digest}.write(m.dir)
}

// Wired tells a machine that was just started that its network is there.
func (m *Machine) Wired() error {
	if m.wired == nil {
		return nil
	}
	_, err := m.wired.Write([]byte{1})
	err = errors.Join(err, m.wired.Close())
	m.wired = nil
	return err
}

// Command prepares a program to run inside the running machine.
func (m *Machine) Command(ctx context.Context, argv ...string) (*exec.Cmd, error) {
	pid, err := m.PID()
	if err != nil {
		return nil, err
	}
	if pid == 0 {
		return nil, fmt.Errorf("%s is not running", m.name)
	}
	enter := []string{"--target", strconv.Itoa(pid), "--net", "--mount", "--pid", "--uts", "--ipc", "--"}
	return exec.CommandContext(ctx, "nsenter", append(enter, argv...)...), nil
}

// openListeners opens addresses on the host, to be handed into a machine.
func openListeners(ctx context.Context, addresses []string) ([]*os.File, error) {
	var files []*os.File
	for _, address := range addresses {
		file, err := openListener(ctx, address)
		if err != nil {
			closeAll(files)
			return nil, fmt.Errorf("opening a port on the host: %w", err)
		}
		files = append(files, file)
	}
	return files, nil
}

func openListener(ctx context.Context, address string) (*os.File, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = listener.Close() }()
	withFile, ok := listener.(*net.TCPListener)
	if !ok {
		return nil, fmt.Errorf("%s is no TCP address", address)
	}
	return withFile.File()
}

func closeAll(files []*os.File) {
	for _, file := range files {
		_ = file.Close()
	}
}
