// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package egresstest plays an egress gateway for tests of what goes through one.
package egresstest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
)

// Gateway is a listener on loopback that knows CONNECT.
type Gateway struct {
	// Client is how to reach it.
	Client egressconfig.Client
	// CA has signed both sides' certificates.
	CA *certtest.CA

	answer func(target string, client *tls.Conn)
	mu     sync.Mutex
	asked  []string
	open   []net.Conn
	// ended is set when the test ends.
	ended bool
}

const serverName = "egress.chat-acme.svc"

// Start plays a gateway that leaves a connection to answer after it has read its CONNECT; the connection is closed when
// answer returns.
func Start(tb testing.TB, answer func(target string, client *tls.Conn)) *Gateway {
	tb.Helper()
	dir := tb.TempDir()
	g := &Gateway{CA: certtest.NewCA(tb), answer: answer}
	own := g.CA.Write(tb, filepath.Join(dir, "gateway"), certtest.Leaf{CommonName: "egress", Hosts: []string{serverName}})
	shown := g.CA.Write(tb, filepath.Join(dir, "client"), certtest.Leaf{CommonName: "chatserver"})
	pair, err := tls.LoadX509KeyPair(own.CertFile, own.KeyFile)
	if err != nil {
		tb.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair},
		ClientCAs: g.CA.Pool(), ClientAuth: tls.RequireAndVerifyClientCert,
	})
	if err != nil {
		tb.Fatal(err)
	}
	g.Client = egressconfig.Client{
		Address: listener.Addr().String(), ServerName: serverName, CertFile: shown.CertFile, KeyFile: shown.KeyFile,
		CAFile: g.CA.WriteCert(tb, filepath.Join(dir, "ca.crt")),
	}
	var running sync.WaitGroup
	running.Go(func() { g.serve(listener, &running) })
	tb.Cleanup(func() {
		_ = listener.Close()
		g.end() // clients keep connections for later
		running.Wait()
	})
	return g
}

func (g *Gateway) serve(listener net.Listener, running *sync.WaitGroup) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		if !g.admit(conn) {
			return
		}
		running.Go(func() {
			defer func() { _ = conn.Close() }()
			request, err := http.ReadRequest(bufio.NewReader(conn))
			secured, ok := conn.(*tls.Conn)
			if err != nil || !ok {
				return
			}
			g.mu.Lock()
			g.asked = append(g.asked, request.Method+" "+request.RequestURI)
			g.mu.Unlock()
			g.answer(request.RequestURI, secured)
		})
	}
}

// admit keeps a connection to be closed at the end. One that was accepted just before the listener closed comes too
// late for that: it is closed here, or the test would wait for its client for ever.
func (g *Gateway) admit(conn net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		_ = conn.Close()
		return false
	}
	g.open = append(g.open, conn)
	return true
}

func (g *Gateway) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = true
	for _, conn := range g.open {
		_ = conn.Close()
	}
}

// Asked are the requests so far: method and target.
func (g *Gateway) Asked() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string{}, g.asked...)
}

// Deny refuses every target for this reason.
func Deny(reason egressconfig.Reason) func(string, *tls.Conn) {
	return func(_ string, client *tls.Conn) {
		_, _ = fmt.Fprintf(client, "HTTP/1.1 403 Forbidden\r\n%s: %s\r\nContent-Length: 0\r\n\r\n",
			egressconfig.DeniedHeader, reason)
	}
}

// To passes every target on to one address.
func To(address string) func(string, *tls.Conn) {
	return func(_ string, client *tls.Conn) {
		upstream, err := new(net.Dialer).Dial("tcp", address)
		if err != nil {
			return
		}
		defer func() { _ = upstream.Close() }()
		_, _ = io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() {
			_, _ = io.Copy(upstream, client)
			_ = upstream.Close()
		}()
		_, _ = io.Copy(client, upstream)
		_ = client.Close()
	}
}
