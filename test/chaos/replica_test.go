// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
	"github.com/chattenant/chattenant/test/chaos/link"
	"github.com/chattenant/chattenant/test/chaos/oracle"
)

// replica is a chat server in a process of its own, with links that can fail to its clients and its database. It is
// started again whenever it ends, as a kubelet would.
type replica struct {
	name        string
	front, back *link.Link
	program     string
	configFile  string
	logFile     string
	config      *serverconfig.ChatServerConfiguration
	oracle      *oracle.Oracle

	// ready is what the readiness probe found last.
	ready  atomic.Bool
	prober *http.Client

	mu      sync.Mutex
	running *process
	// doomed says that the running process was told to end, rest how long it then stays away.
	doomed bool
	rest   time.Duration
	health string
	// surrenders counts the times the program ended by itself with an error.
	surrenders int
}

const drainSeconds = 6

func newReplica(
	t *testing.T, name, program string, db *storetest.Database, ca *certtest.CA, o *oracle.Oracle,
) *replica {
	t.Helper()
	r := &replica{
		name: name, program: program, oracle: o, config: servertest.NewConfig(t, db, ca),
		front: newLink(t, ""), back: newLink(t, fmt.Sprintf("127.0.0.1:%d", db.Config.Port)),
		configFile: filepath.Join(t.TempDir(), "config.yaml"), logFile: filepath.Join(t.ArtifactDir(), name+".log"),
	}
	r.config.Database.Port = r.back.Port()
	r.config.DrainSeconds = drainSeconds
	like := servertest.Replica{Roots: ca.Pool()}
	r.prober = &http.Client{
		Timeout:   probeTimeout,
		Transport: &http.Transport{TLSClientConfig: like.TLS(), DisableKeepAlives: true},
	}
	return r
}

func newLink(t *testing.T, target string) *link.Link {
	t.Helper()
	l, err := link.New(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close link: %v", err)
		}
	})
	return l
}

// supervise keeps the replica running until ctx ends.
func (r *replica) supervise(ctx context.Context) {
	for ctx.Err() == nil {
		p, err := r.launch(ctx)
		if err != nil {
			r.oracle.Violated("%s cannot be started: %v", r.name, err)
			return
		}
		select {
		case <-ctx.Done():
			p.signal(syscall.SIGKILL)
			<-p.done
		case <-p.done:
			pause(ctx, r.ended(p))
		}
	}
}

// launch starts the program on new addresses: while it was away, anybody may have taken the old ones.
func (r *replica) launch(ctx context.Context) (*process, error) {
	public, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	health, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.config.Listen = serverconfig.Listen{Public: public, Health: health}
	data, err := yaml.Marshal(r.config)
	if err != nil {
		return nil, fmt.Errorf("encode configuration: %w", err)
	}
	if err := os.WriteFile(r.configFile, data, 0o600); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	log, err := os.OpenFile(r.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	defer func() { _ = log.Close() }()
	//nolint:noctx // Ends by the signals of the faults, or with the test.
	cmd := exec.Command(r.program, "serve", "--config", r.configFile)
	cmd.Env = append(os.Environ(), "GORACE=halt_on_error=1")
	cmd.Stdout, cmd.Stderr = log, log
	r.running, err = start(cmd)
	r.doomed, r.health = false, health
	r.front.SetTarget(public)
	return r.running, err
}

// freeAddress is an address nothing listens on.
func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// crashPause is how long a replica stays away after ending without having been told to.
const crashPause = time.Second

// ended takes note of the end of the process and says how long it stays away.
func (r *replica) ended(p *process) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ready.Store(false)
	r.running = nil
	switch {
	case r.doomed:
		return r.rest
	case p.crashed():
		r.oracle.Violated("%s crashed: %v, see its log", r.name, p.cmd.ProcessState)
	default:
		r.surrenders++
	}
	return crashPause
}

// end signals the process to end; once it has, it stays away for rest.
func (r *replica) end(s os.Signal, rest time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running != nil {
		r.doomed, r.rest = true, rest
		r.running.signal(s)
	}
}

// signal sends a signal that does not end the process.
func (r *replica) signal(s os.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running != nil {
		r.running.signal(s)
	}
}

func (r *replica) countSurrenders() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.surrenders
}

const (
	probeInterval = 500 * time.Millisecond
	probeTimeout  = 2 * time.Second
)

// probe asks for readiness until ctx ends, as a kubelet does: not through the links.
func (r *replica) probe(ctx context.Context) {
	for ; ctx.Err() == nil; pause(ctx, probeInterval) {
		r.mu.Lock()
		health := r.health
		r.mu.Unlock()
		r.ready.Store(health != "" && r.answersReady(ctx, health))
	}
}

func (r *replica) answersReady(ctx context.Context, health string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+health+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := r.prober.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}
