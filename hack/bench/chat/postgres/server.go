// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package postgres runs the database of a measurement, as the product runs a tenant's: the same settings, durable
// commits, mutual TLS and nothing else.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/hack/bench/chat/pki"
)

// binDirs is where Debian and others put the server's programs.
var binDirs = []string{"/usr/lib/postgresql/15/bin", "/usr/local/pgsql/bin", "/usr/pgsql-15/bin"}

const (
	startTimeout = 2 * time.Minute
	startPoll    = 50 * time.Millisecond
)

// Config says where and how to run.
type Config struct {
	// Dir is an empty folder on the disk to be measured.
	Dir string
	// Settings is the product's postgresql.conf.
	Settings  string
	Authority *pki.Authority
}

// Server is a running PostgreSQL.
type Server struct {
	config Config
	bin    string
	user   *syscall.Credential
	port   int32
	pid    int
	stop   func()
	admin  *pgx.Conn
	// client is the chat servers' certificate.
	client serverconfig.KeyPair
}

// Start makes a database cluster in the folder and runs it until Stop, or until this process dies.
func Start(ctx context.Context, config Config) (*Server, error) {
	s := &Server{config: config}
	var err error
	if s.bin, err = findBin(); err != nil {
		return nil, err
	}
	if s.user, err = findUser(); err != nil {
		return nil, err
	}
	if s.port, err = freePort(ctx); err != nil {
		return nil, err
	}
	if err := s.lay(ctx); err != nil {
		return nil, err
	}
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Stop ends the server.
func (s *Server) Stop(ctx context.Context) error {
	err := s.admin.Close(ctx)
	s.stop()
	return err
}

// Database is how a chat server reaches it.
func (s *Server) Database(maxConnections int32) serverconfig.Database {
	return serverconfig.Database{
		Host: "localhost", Port: s.port, Name: naming.DatabaseName, User: naming.DatabaseRole,
		TLS: s.client, CAFile: filepath.Join(s.config.Dir, "ca.crt"), MaxConnections: maxConnections,
	}
}

func (s *Server) file(name string) string { return filepath.Join(s.config.Dir, "server", name) }

// lay makes the folder, its certificates and the cluster.
func (s *Server) lay(ctx context.Context) error {
	settings, err := os.ReadFile(s.config.Settings)
	if err != nil {
		return fmt.Errorf("read the product's settings: %w", err)
	}
	if _, err := s.config.Authority.Issue(s.file(""), "postgres", "localhost"); err != nil {
		return err
	}
	if s.client, err = s.config.Authority.Issue(filepath.Join(s.config.Dir, "client"), naming.DatabaseRole); err != nil {
		return err
	}
	rule := "local all postgres trust\nhostssl " + naming.DatabaseName + " " + naming.DatabaseRole + " all cert\n"
	err = errors.Join(
		s.config.Authority.WriteCert(filepath.Join(s.config.Dir, "ca.crt")),
		s.config.Authority.WriteCert(s.file("ca.crt")),
		os.WriteFile(s.file("postgresql.conf"), settings, 0o600), //nolint:gosec // Our own folder.
		os.WriteFile(s.file("pg_hba.conf"), []byte(rule), 0o600),
		os.WriteFile(s.file("pg_ident.conf"), nil, 0o600),
		s.own(),
	)
	if err != nil {
		return fmt.Errorf("prepare the database's folder: %w", err)
	}
	initdb := s.command(ctx, "initdb", "--pgdata="+s.file("data"), "--username=postgres", "--encoding=UTF8",
		"--locale=C.UTF-8", "--lc-collate=C", "--data-checksums", "--auth=trust", "--no-instructions")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// own gives the server's folder to the user it runs as.
func (s *Server) own() error {
	if s.user == nil {
		return nil
	}
	//nolint:gosec // Others may pass through to reach what belongs to them.
	if err := os.Chmod(s.config.Dir, 0o711); err != nil {
		return err
	}
	return filepath.WalkDir(s.file(""), func(path string, _ os.DirEntry, err error) error {
		//nolint:gosec // Nobody else is there yet to put links into it.
		return errors.Join(err, os.Chown(path, int(s.user.Uid), int(s.user.Gid)))
	})
}

func (s *Server) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, program), args...)
	cmd.Dir = s.file("")
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=/usr/bin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.user, Pdeathsig: syscall.SIGQUIT, Setpgid: true}
	return cmd
}

// run starts the server with the product's settings; only paths and the address differ.
func (s *Server) run(ctx context.Context) error {
	args := []string{"-D", s.file("data"), "-c", "config_file=" + s.file("postgresql.conf")}
	for _, setting := range []string{
		"hba_file=" + s.file("pg_hba.conf"), "ident_file=" + s.file("pg_ident.conf"), "listen_addresses=127.0.0.1",
		"port=" + strconv.Itoa(int(s.port)), "unix_socket_directories=" + s.file(""),
		"ssl_cert_file=" + s.file("tls.crt"), "ssl_key_file=" + s.file("tls.key"), "ssl_ca_file=" + s.file("ca.crt"),
	} {
		args = append(args, "-c", setting)
	}
	var err error
	cmd := s.command(context.WithoutCancel(ctx), "postgres", args...)
	if s.stop, err = runTied(cmd, s.file("log")); err != nil {
		return err
	}
	s.pid = cmd.Process.Pid
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if s.admin, err = s.connect(ctx, "postgres"); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			s.stop()
			log, _ := os.ReadFile(s.file("log"))
			return fmt.Errorf("start postgres: %w\n%s", err, log)
		case <-time.After(startPoll):
		}
	}
}

func (s *Server) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	const form = "host=%s port=%d user=postgres dbname=%s sslmode=disable"
	conn, err := pgx.Connect(ctx, fmt.Sprintf(form, s.file(""), s.port, database))
	if err != nil {
		return nil, fmt.Errorf("connect as administrator: %w", err)
	}
	return conn, nil
}

func findBin() (string, error) {
	i := slices.IndexFunc(binDirs, func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, "initdb"))
		return err == nil
	})
	if i < 0 {
		return "", errors.New("PostgreSQL 15 is not installed: run apt-get install postgresql-15")
	}
	return binDirs[i], nil
}

func freePort(ctx context.Context) (int32, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	n, err := strconv.ParseInt(port, 10, 32)
	return int32(n), err
}
