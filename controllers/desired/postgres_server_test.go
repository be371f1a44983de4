// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build postgres

package desired

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/test/loopback"
)

// machine stands in for the pod: the rendered files, a volume, and the unprivileged user that PostgreSQL insists on.
type machine struct {
	directory  string
	binaries   string
	credential *syscall.Credential
	uid, gid   int
}

// newMachine lays the rendered files out as the ConfigMap's volume would. As root it runs PostgreSQL as the user
// postgres, otherwise as the caller.
func newMachine(t *testing.T) machine {
	t.Helper()
	m := machine{binaries: postgresBinaries(t), uid: os.Getuid(), gid: os.Getgid()}
	if m.uid == 0 {
		m.becomePostgres(t)
	}
	// Not t.TempDir: its parent is closed to other users. The path stays short because sockets have at most 107 bytes.
	directory, err := os.MkdirTemp("/tmp", "desired-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(directory); err != nil {
			t.Error(err)
		}
	})
	m.directory = directory
	m.give(t, directory, 0o700)
	for _, name := range []string{"etc", "volume", "socket", "tls"} {
		m.mkdir(t, name)
	}
	for name, content := range postgresFiles() {
		m.write(t, "etc/"+name, content, 0o440)
	}
	return m
}

// postgresBinaries prefers the server's own directory: Debian's programs on the PATH are wrappers, or missing.
func postgresBinaries(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 {
		return filepath.Dir(slices.Max(found))
	}
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		t.Fatal("no initdb: install PostgreSQL 15 or later (Debian: postgresql-15)")
	}
	return filepath.Dir(initdb)
}

func (m *machine) becomePostgres(t *testing.T) {
	t.Helper()
	account, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	if m.uid, err = strconv.Atoi(account.Uid); err != nil {
		t.Fatal(err)
	}
	if m.gid, err = strconv.Atoi(account.Gid); err != nil {
		t.Fatal(err)
	}
	m.credential = &syscall.Credential{Uid: uint32(m.uid), Gid: uint32(m.gid)} //nolint:gosec // ids of a passwd entry
}

func (m machine) path(name string) string { return filepath.Join(m.directory, name) }

func (m machine) data() string { return m.path("volume/pgdata") }

func (m machine) mkdir(t *testing.T, name string) {
	t.Helper()
	if err := os.Mkdir(m.path(name), 0o700); err != nil {
		t.Fatal(err)
	}
	m.give(t, m.path(name), 0o700)
}

// write makes a file that the server's user may read.
func (m machine) write(t *testing.T, name, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(m.path(name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	m.give(t, m.path(name), mode)
}

func (m machine) give(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chown(path, m.uid, m.gid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// command runs in a process group of its own, so that all of it can be killed as a container's would be. A name without
// a path is one of PostgreSQL's programs.
func (m machine) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	if !strings.Contains(name, "/") {
		name = filepath.Join(m.binaries, name)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = m.directory
	cmd.Env = []string{"PATH=" + m.binaries + ":/usr/bin:/bin", "PGDATA=" + m.data()}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: m.credential}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// run returns what the command wrote, to either stream, and whether it succeeded.
func (m machine) run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	output, err := m.command(t.Context(), name, args...).CombinedOutput()
	return string(output), err
}

func (m machine) runInit(t *testing.T) (string, error) {
	t.Helper()
	return m.run(t, "/bin/sh", m.path("etc/"+postgresInitScript))
}

// initialised is a machine with a database.
func initialised(t *testing.T) machine {
	t.Helper()
	m := newMachine(t)
	if output, err := m.runInit(t); err != nil {
		t.Fatalf("init: %v\n%s", err, output)
	}
	return m
}

// server is a running PostgreSQL.
type server struct {
	machine
	cmd   *exec.Cmd
	port  string
	ended chan struct{}
}

// serve starts PostgreSQL and waits until it answers.
func (m machine) serve(t *testing.T) *server {
	t.Helper()
	s := m.start(t)
	s.awaitReady(t)
	return s
}

// start runs PostgreSQL as the pod does, with the rendered configuration; only paths and the port are this machine's.
func (m machine) start(t *testing.T) *server {
	t.Helper()
	_, port, err := net.SplitHostPort(loopback.Address(t))
	if err != nil {
		t.Fatal(err)
	}
	s := &server{machine: m, port: port, ended: make(chan struct{})}
	args := alone(m.binaries+"/postgres", "-D", m.data(), "-c", "config_file="+m.path("etc/"+postgresConfig))
	args[slices.Index(args, postgresLock)] = m.data() + ".lock"
	for _, setting := range []string{
		"hba_file=" + m.path("etc/pg_hba.conf"), "ident_file=" + m.path("etc/pg_ident.conf"),
		"unix_socket_directories=" + m.path("socket"), "listen_addresses=127.0.0.1", "port=" + s.port,
		"ssl_cert_file=" + m.path("tls/tls.crt"), "ssl_key_file=" + m.path("tls/tls.key"),
		"ssl_ca_file=" + m.path("tls/ca.crt"),
	} {
		args = append(args, "-c", setting)
	}
	log, err := os.Create(s.logPath())
	if err != nil {
		t.Fatal(err)
	}
	// Not the test's context: the server is stopped in order, after everything that uses it.
	s.cmd = m.command(context.WithoutCancel(t.Context()), "/usr/bin/"+args[0], args[1:]...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := errors.Join(s.cmd.Start(), log.Close()); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.ended)
	}()
	t.Cleanup(func() { s.stop(t, syscall.SIGINT) })
	return s
}

func (s *server) logPath() string { return s.path("log-" + s.port) }

// awaitReady asks as the probes do.
func (s *server) awaitReady(t *testing.T) {
	t.Helper()
	for range 600 {
		if _, err := s.run(t, "pg_isready", "--quiet", "--host="+s.path("socket"), "--port="+s.port); err == nil {
			return
		}
		select {
		case <-s.ended:
			t.Fatalf("the server ended:\n%s", s.readLog(t))
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Fatalf("the server is not ready after a minute:\n%s", s.readLog(t))
}

func (s *server) readLog(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(s.logPath())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// stop signals the server and makes sure that it ends. It may be called again.
func (s *server) stop(t *testing.T, signals ...syscall.Signal) {
	t.Helper()
	for _, signal := range signals {
		_ = s.cmd.Process.Signal(signal)
	}
	select {
	case <-s.ended:
	case <-time.After(time.Minute):
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		t.Errorf("the server runs on a minute after %v:\n%s", signals, s.readLog(t))
	}
}

// ask runs one query over the socket, as the superuser.
func (s *server) ask(t *testing.T, query string) string {
	t.Helper()
	output, err := s.psql(t, "postgres", query)
	if err != nil {
		t.Fatalf("%s: %v\n%s", query, err, output)
	}
	return strings.TrimSpace(output)
}

func (s *server) psql(t *testing.T, role, query string) (string, error) {
	t.Helper()
	return s.run(t, "psql", "--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "--set=ON_ERROR_STOP=1",
		"--host="+s.path("socket"), "--port="+s.port, "--username="+role, "--dbname="+naming.DatabaseName,
		"--command="+query)
}
