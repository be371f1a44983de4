// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/chatserver/client"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
)

// proxies stand between the service and the people who do without WebSockets, because such proxies block them. They
// read what they carry, so they can fail one request and not another.
type proxies struct {
	service     *service
	certificate tls.Certificate

	mu sync.Mutex
	// late keeps answers for a while, lossy loses them. Neither concerns streams.
	late, lossy bool
	// streams are those under way.
	streams map[*context.CancelFunc]struct{}
}

func newProxies(t *testing.T, s *service, ca *certtest.CA) *proxies {
	t.Helper()
	files := ca.Write(t, filepath.Join(t.TempDir(), "proxy"), certtest.Leaf{
		CommonName: "proxy", Hosts: []string{servertest.Host},
	})
	certificate, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	return &proxies{service: s, certificate: certificate, streams: map[*context.CancelFunc]struct{}{}}
}

// client makes a client at the given address that is behind a proxy of its own, until the test ends.
func (p *proxies) client(t *testing.T, source string) (*client.Client, error) {
	endpoint, err := url.Parse(servertest.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("read endpoint: %w", err)
	}
	quiet := log.New(io.Discard, "", 0)
	onwards := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(endpoint); r.Out.Host = r.In.Host },
		Transport: &http.Transport{
			TLSClientConfig: p.service.tls.Clone(),
			DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return p.service.dial(ctx, source) },
		},
		ModifyResponse: p.answer,
		// Whoever waits for the answer learns nothing, as from a connection that broke.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	server := httptest.NewUnstartedServer(p.follow(onwards))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{p.certificate}, MinVersion: tls.VersionTLS12}
	server.Config.ErrorLog, onwards.ErrorLog = quiet, quiet
	server.StartTLS()
	t.Cleanup(func() { p.cut(); server.CloseClientConnections(); server.Close() })
	return client.New(client.Config{
		Endpoint: servertest.Endpoint, TLS: p.service.tls, Transport: client.TransportStream,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		},
	})
}

const streamPath = "/api/v1/stream"

// follow carries a request over and lets a stream be cut.
func (p *proxies) follow(onwards http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != streamPath {
			onwards.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		p.mu.Lock()
		p.streams[&cancel] = struct{}{}
		p.mu.Unlock()
		defer func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			delete(p.streams, &cancel)
		}()
		onwards.ServeHTTP(w, r.WithContext(ctx))
	})
}

var errLost = errors.New("the answer is lost")

// answer does to the service's answer what the faults want.
func (p *proxies) answer(r *http.Response) error {
	if r.Request.URL.Path == streamPath {
		return nil
	}
	p.mu.Lock()
	late, lossy := p.late, p.lossy
	p.mu.Unlock()
	if late {
		const longest = 4 * time.Second
		pause(r.Request.Context(), rand.N(longest)) //nolint:gosec // Hides nothing.
	}
	if lossy {
		return errLost
	}
	return nil
}

// cut ends every stream.
func (p *proxies) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for cancel := range p.streams {
		(*cancel)()
	}
}

func (p *proxies) set(late, lossy bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.late, p.lossy = late, lossy
}

// proxyKinds are failures of the proxies that people without WebSockets are behind.
func proxyKinds() []kind {
	set := func(late, lossy bool) func(*world, *fault) error {
		return func(w *world, _ *fault) error { w.proxies.set(late, lossy); return nil }
	}
	return []kind{
		{"cut every stream", 2, proxy, 0, 0, func(w *world, _ *fault) error { w.proxies.cut(); return nil }, nil},
		{"bring answers late", 2, proxy, time.Second, 8 * time.Second, set(true, false), set(false, false)},
		{"lose answers", 3, proxy, 300 * ms, 5 * time.Second, set(false, true), set(false, false)},
	}
}
