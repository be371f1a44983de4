// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"testing"
	"time"
)

// dripping is a connection that gives so many bytes at a time, and between them says that there is nothing.
type dripping struct {
	net.Conn
	size int
	// on is set once it drips, dry if it has just given something.
	on, dry bool
}

func (d *dripping) Read(data []byte) (int, error) {
	if !d.on {
		return d.Conn.Read(data)
	}
	if d.dry = !d.dry; !d.dry {
		return 0, errNothingYet
	}
	return d.Conn.Read(data[:min(len(data), d.size)])
}

// TestTLSGoesOnWhereThereWasNothingYet holds crypto/tls to what sockets need of it: after a temporary error it has lost
// nothing, wherever in a record the error came. A client also reads messages of the handshake after it: tickets.
func TestTLSGoesOnWhereThereWasNothingYet(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, reads := range []string{"server", "client"} {
			for _, size := range []int{1, 4, 5, 6, 100, bufferSize} {
				t.Run(fmt.Sprintf("%s, %s, %d bytes at a time", tls.VersionName(version), reads, size), func(t *testing.T) {
					goesOn(t, version, reads == "client", size)
				})
			}
		}
	}
}

func goesOn(t *testing.T, version uint16, client bool, size int) {
	t.Helper()
	near, far := connected(t)
	drip := &dripping{Conn: near, size: size}
	reader, writer := tls.Server(drip, secure(t, version)), tls.Client(far, secure(t, version))
	if client {
		reader, writer = tls.Client(drip, secure(t, version)), tls.Server(far, secure(t, version))
	}
	shaken := make(chan error, 1)
	go func() { shaken <- writer.HandshakeContext(t.Context()) }()
	if err := errors.Join(reader.HandshakeContext(t.Context()), <-shaken); err != nil {
		t.Fatal(err)
	}
	drip.on = true
	want := bytes.Repeat([]byte("0123456789"), 4000)
	go func() {
		for record := range slices.Chunk(want, 777) {
			_, _ = writer.Write(record)
		}
		_ = writer.Close()
	}()
	got, err := readOn(reader)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %d of %d bytes, %v", len(got), len(want), err)
	}
}

// readOn reads to the end, whatever is said to be nothing.
func readOn(r io.Reader) ([]byte, error) {
	var all []byte
	buffer := make([]byte, 1000)
	for {
		n, err := r.Read(buffer)
		all = append(all, buffer[:n]...)
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil && !errors.Is(err, errNothingYet):
			return all, err
		}
	}
}

// secured is a server's side that waits above TLS, and its client.
func secured(t *testing.T) (*corked, *tls.Conn) {
	t.Helper()
	near, far := connected(t)
	below := &shallow{Conn: near}
	server, client := tls.Server(below, secure(t, tls.VersionTLS13)), tls.Client(far, secure(t, tls.VersionTLS13))
	shaken := make(chan error, 1)
	go func() { shaken <- client.HandshakeContext(t.Context()) }()
	if err := errors.Join(server.HandshakeContext(t.Context()), <-shaken); err != nil {
		t.Fatal(err)
	}
	if !below.begin() {
		t.Fatal("a TCP connection cannot wait above TLS")
	}
	return &corked{Conn: server, below: below}, client
}

// TestAReaderThatWaitsAboveTLSMissesNothing has two take turns: each word that is missed is the end of it.
func TestAReaderThatWaitsAboveTLSMissesNothing(t *testing.T) {
	server, client := secured(t)
	_ = client.SetDeadline(time.Now().Add(surely))
	go func() { _, _ = io.Copy(server, server); _ = server.Close() }()
	word := make([]byte, 1)
	for i := range 3000 {
		word[0] = byte(i)
		if _, err := client.Write(word); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(client, word); err != nil || word[0] != byte(i) {
			t.Fatalf("word %d came back as %d, %v", i, word[0], err)
		}
	}
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(word); !errors.Is(err, io.EOF) {
		t.Errorf("the server did not see the end: %v", err)
	}
}

func TestADeadlineEndsAWaitAndLosesNothing(t *testing.T) {
	server, client := secured(t)
	_ = server.SetReadDeadline(time.Now().Add(aMoment))
	_, err := server.Read(make([]byte, 1))
	if !isTimeout(err) {
		t.Fatalf("after the deadline: %v", err)
	}
	_ = server.SetReadDeadline(time.Now().Add(surely))
	if _, err := client.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(server, got); err != nil || string(got) != "late" {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestClosingEndsAWait(t *testing.T) {
	server, _ := secured(t)
	time.AfterFunc(aMoment, func() { _ = server.below.Close() })
	if n, err := server.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("read %d, %v", n, err)
	}
}

// connected is both ends of a TCP connection.
func connected(t *testing.T) (near, far net.Conn) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	far, err = new(net.Dialer).DialContext(context.WithoutCancel(t.Context()), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if near, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	return near, far
}

// secure is a configuration for both sides.
func secure(t *testing.T, version uint16) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		MinVersion: version, MaxVersion: version,
		Certificates:       []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		InsecureSkipVerify: true, //nolint:gosec // Who it is does not matter here.
	}
}
