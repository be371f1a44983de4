// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package storetest runs a private PostgreSQL for tests: its own data directory, its own port on 127.0.0.1, mutual TLS
// and nothing else, as in a tenant's namespace. It never touches a system service and dies with the test process.
package storetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/test/loopback"
)

// binDirs is where Debian and others put the server's programs.
var binDirs = []string{"/usr/lib/postgresql/15/bin", "/usr/local/pgsql/bin", "/usr/pgsql-15/bin"}

// startTimeout is long for machines with much else to do.
const startTimeout = 2 * time.Minute

// Cluster is a PostgreSQL server of one test process.
type Cluster struct {
	// CA signed the server's certificate and is the only one whose clients it lets in.
	CA   *certtest.CA
	Port int32

	dir  string
	bin  string
	user *credential
	stop func(syscall.Signal)
	// port keeps Port while the server is down: replicas try to connect there meanwhile.
	port *os.File
}

var shared struct {
	sync.Mutex
	cluster *Cluster
}

// Main runs a package's tests, stops the cluster they used and returns the exit code. It is for TestMain.
func Main(m *testing.M) int {
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster != nil {
		shared.cluster.discard()
	}
	return code
}

// clusterFor returns the process's cluster, started on first use and again if a test left it stopped.
func clusterFor(tb testing.TB) *Cluster {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil {
		shared.cluster = newCluster(tb)
	}
	if shared.cluster.stop == nil {
		shared.cluster.Start(tb)
	}
	return shared.cluster
}

func newCluster(tb testing.TB) *Cluster {
	tb.Helper()
	c := newDirectory(tb, certtest.NewCA(tb))
	c.initialise(tb)
	return c
}

// newDirectory makes a place for a cluster, with a certificate of the authority.
func newDirectory(tb testing.TB, ca *certtest.CA) *Cluster {
	tb.Helper()
	dir, err := os.MkdirTemp("", "chatpg") // Outlives the test that happens to start it.
	if err != nil {
		tb.Fatal(err)
	}
	port, kept := loopback.Keep(tb)
	c := &Cluster{CA: ca, dir: dir, bin: findBin(tb), user: findUser(tb), port: kept}
	c.Port = int32(port) //nolint:gosec // A port fits.
	c.CA.Write(tb, dir, certtest.Leaf{CommonName: "postgres", Hosts: []string{"localhost"}})
	c.CA.WriteCert(tb, c.file("ca.crt"))
	c.own(tb, dir, c.file("tls.crt"), c.file("tls.key"), c.file("ca.crt"))
	return c
}

func (c *Cluster) initialise(tb testing.TB) {
	tb.Helper()
	initdb := c.command("initdb", "-D", c.file("data"), "-U", "postgres", "-A", "trust",
		"-E", "UTF8", "--no-locale", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		tb.Fatalf("initdb: %v\n%s", err, out)
	}
	c.writeHBA(tb, hbaRule)
}

// hbaRule lets the chat server in by certificate only, as in a tenant's namespace.
const hbaRule = "hostssl " + naming.DatabaseName + " " + naming.DatabaseRole + " all cert"

// writeHBA sets who may come in: tests administer over the socket, which is in a private directory.
func (c *Cluster) writeHBA(tb testing.TB, rule string) {
	tb.Helper()
	file := filepath.Join(c.file("data"), "pg_hba.conf")
	if err := os.WriteFile(file, []byte("local all,replication postgres trust\n"+rule+"\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func (c *Cluster) file(name string) string { return filepath.Join(c.dir, name) }

func (c *Cluster) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, program), args...) //nolint:gosec,noctx // Our own arguments; ends with Kill.
	cmd.Dir = c.dir
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=/usr/bin:/bin"}
	cmd.SysProcAttr = c.user.sysProcAttr()
	return cmd
}

// Start starts a stopped cluster and waits until it answers.
func (c *Cluster) Start(tb testing.TB, more ...string) {
	tb.Helper()
	settings := append([]string{
		"listen_addresses=127.0.0.1", "port=" + portString(c.Port), "unix_socket_directories=" + c.dir,
		"ssl=on", "ssl_cert_file=" + c.file("tls.crt"), "ssl_key_file=" + c.file("tls.key"),
		"ssl_ca_file=" + c.file("ca.crt"), "max_connections=60", "shared_buffers=16MB",
		// Tests kill the server, not the machine: what the kernel has is safe enough, and much faster.
		"fsync=off", "logging_collector=off",
	}, more...)
	args := []string{"-D", c.file("data")}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	c.stop = runTied(tb, c.command("postgres", args...), c.file("log"))
	if err := c.waitReady(); err != nil {
		log, _ := os.ReadFile(c.file("log"))
		tb.Fatalf("start postgres: %v\n%s", err, log)
	}
}

func (c *Cluster) waitReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		conn, err := c.connect(ctx, "postgres")
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Kill stops the cluster at once, as a crash would: nothing is flushed, clients are cut off.
func (c *Cluster) Kill() {
	if c.stop != nil {
		c.stop(syscall.SIGQUIT)
		c.stop = nil
	}
}

// discard ends the server at once and removes what it stored.
func (c *Cluster) discard() {
	c.Kill()
	_ = os.RemoveAll(c.dir)
	_ = c.port.Close()
}

// connect opens an administrator's connection over the private socket.
func (c *Cluster) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	const form = "host=%s port=%d user=postgres dbname=%s sslmode=disable"
	return pgx.Connect(ctx, fmt.Sprintf(form, c.dir, c.Port, database))
}

func findBin(tb testing.TB) string {
	tb.Helper()
	i := slices.IndexFunc(binDirs, func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, "initdb"))
		return err == nil
	})
	if i < 0 {
		tb.Fatal("PostgreSQL 15 is not installed: run apt-get install postgresql-15")
	}
	return binDirs[i]
}

func portString(port int32) string { return strconv.Itoa(int(port)) }

// Reconfigure restarts the cluster with another rule for the chat server and other settings, until the test ends.
func (c *Cluster) Reconfigure(tb testing.TB, hba string, settings ...string) {
	tb.Helper()
	c.Kill()
	c.writeHBA(tb, hba)
	c.Start(tb, settings...)
	tb.Cleanup(func() {
		c.Kill()
		c.writeHBA(tb, hbaRule)
		c.Start(tb)
	})
}

// TrustClients makes the cluster accept the client certificates of another authority only, until the test ends.
func (c *Cluster) TrustClients(tb testing.TB, ca *certtest.CA) {
	tb.Helper()
	trust := func(ca *certtest.CA) {
		ca.WriteCert(tb, c.file("ca.crt"))
		c.own(tb, c.file("ca.crt"))
		c.reload(tb)
	}
	trust(ca)
	tb.Cleanup(func() { trust(c.CA) })
}

// reload makes the server read its files again, and waits until whoever connects meets what is in them.
func (c *Cluster) reload(tb testing.TB) {
	tb.Helper()
	const pause = 10 * time.Millisecond
	var before, read time.Time
	c.ask(tb, `SELECT clock_timestamp()`, &before)
	c.exec(tb, "postgres", `SELECT pg_reload_conf()`)
	// The server takes the time it needs. A session has the files, and the time, of the moment at which it began.
	for range startTimeout / pause {
		if c.ask(tb, `SELECT pg_conf_load_time()`, &read); read.After(before) {
			return
		}
		time.Sleep(pause)
	}
	tb.Fatal("the server does not read its files again")
}

// ask asks one question in a session of its own.
func (c *Cluster) ask(tb testing.TB, question string, answer any) {
	tb.Helper()
	ctx := context.Background()
	conn, err := c.connect(ctx, "postgres")
	if err != nil {
		tb.Fatalf("connect as administrator: %v", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if err := conn.QueryRow(ctx, question).Scan(answer); err != nil {
		tb.Fatalf("%s: %v", question, err)
	}
}

// Log returns what the server has logged so far.
func (c *Cluster) Log(tb testing.TB) string {
	tb.Helper()
	log, err := os.ReadFile(filepath.Clean(c.file("log")))
	if err != nil {
		tb.Fatal(err)
	}
	return string(log)
}

// Disconnect ends every connection of the chat server.
func (c *Cluster) Disconnect(tb testing.TB) {
	tb.Helper()
	c.exec(tb, "postgres", `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'chatserver'`)
}
