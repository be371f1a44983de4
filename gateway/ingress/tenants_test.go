// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
)

// tenantServer is a chat server's stand-in: it insists on a PROXY header, then does what its test wants.
type tenantServer struct {
	addr  string
	roots *x509.CertPool // nil when it speaks no TLS

	mu      sync.Mutex
	headers []*proxyproto.Header
}

// startTLSTenant terminates TLS for host and echoes.
func startTLSTenant(tb testing.TB, host string) *tenantServer {
	tb.Helper()
	cert := newCertificate(tb, host)
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{cert},
		NextProtos:   []string{"http/1.1", "acme-tls/1"},
	}
	tenant := startTenant(tb, func(conn net.Conn) { echo(tls.Server(conn, config)) })
	tenant.roots = rootsOf(cert)
	return tenant
}

func rootsOf(cert tls.Certificate) *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(cert.Leaf)
	return roots
}

// startTenant hands every connection to serve after the PROXY header; serve owns it.
func startTenant(tb testing.TB, serve func(net.Conn)) *tenantServer {
	tb.Helper()
	inner := listenTCP(tb)
	tenant := &tenantServer{addr: inner.Addr().String()}
	listener := &proxyproto.Listener{
		Listener:   inner,
		ConnPolicy: func(proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) { return proxyproto.REQUIRE, nil },
	}
	var connections sync.WaitGroup
	connections.Go(func() { tenant.acceptAll(listener, &connections, serve) })
	tb.Cleanup(func() {
		_ = listener.Close()
		connections.Wait()
	})
	return tenant
}

func (s *tenantServer) acceptAll(listener net.Listener, connections *sync.WaitGroup, serve func(net.Conn)) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		connections.Go(func() {
			defer func() { _ = conn.Close() }()
			if s.note(conn) {
				serve(conn)
			}
		})
	}
}

// note keeps a connection's PROXY header, if it has one.
func (s *tenantServer) note(conn net.Conn) bool {
	proxied, ok := conn.(*proxyproto.Conn)
	if !ok || proxied.ProxyHeader() == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.headers = append(s.headers, proxied.ProxyHeader())
	return true
}

// header is the PROXY header of the connection that came n-th, from 0.
func (s *tenantServer) header(tb testing.TB, n int) *proxyproto.Header {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.headers) <= n {
		tb.Fatalf("the tenant saw %d connections, want more than %d", len(s.headers), n)
	}
	return s.headers[n]
}

func (s *tenantServer) seen() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.headers)
}

func echo(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	_, _ = io.Copy(conn, conn)
}

// rawTCP is the connection beneath the one that startTenant hands out.
func rawTCP(conn net.Conn) *net.TCPConn {
	proxied, ok := conn.(*proxyproto.Conn)
	if !ok {
		return nil
	}
	tcp, _ := proxied.TCPConn()
	return tcp
}

func newCertificate(tb testing.TB, host string) tls.Certificate {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		DNSNames:              []string{host},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
