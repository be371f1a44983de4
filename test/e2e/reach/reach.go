// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package reach tries one connection and says what became of it.
package reach

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Verdict is what became of an attempt.
type Verdict string

// What can become of an attempt. All but Open are ways to be closed.
const (
	// Open: a TCP connection was made, or a datagram was answered.
	Open Verdict = "open"
	// Refused: the other side, or a firewall on the way, said no.
	Refused Verdict = "refused"
	// Silent: nothing came back.
	Silent Verdict = "silent"
	// Unreachable: there is no way to that address.
	Unreachable Verdict = "unreachable"
)

// Dial connects. The address holds an IP.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Target is where to connect to.
type Target struct {
	// Network is tcp or udp.
	Network string
	Address netip.AddrPort
}

// Try attempts a connection for at most the given time. An error means that nothing was learnt, for example because the
// attempt could not even be made: it must not be taken for a closed door.
func Try(ctx context.Context, dial Dial, to Target, within time.Duration) (Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	conn, err := dial(ctx, to.Network, to.Address.String())
	if err != nil {
		return verdict(to, err)
	}
	defer func() { _ = conn.Close() }()
	if to.Network != "udp" {
		return Open, nil
	}
	deadline, _ := ctx.Deadline()
	if err := ask(conn, deadline); err != nil {
		return verdict(to, err)
	}
	return Open, nil
}

func verdict(to Target, err error) (Verdict, error) {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		return Refused, nil
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return Silent, nil
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH),
		errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		return Unreachable, nil
	}
	return "", fmt.Errorf("connect to %s %s: %w", to.Network, to.Address, err)
}

// ask sends a datagram and waits for any answer. It is a question to a name server, which an echo server answers as well.
// A datagram can get lost, so it is sent again halfway.
func ask(conn net.Conn, deadline time.Time) error {
	question, err := dnsQuestion()
	if err != nil {
		return err
	}
	halfway := time.Now().Add(time.Until(deadline) / 2)
	for _, until := range []time.Time{halfway, deadline} {
		if err = askOnce(conn, question, until); !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return err
}

func askOnce(conn net.Conn, question []byte, until time.Time) error {
	if err := conn.SetDeadline(until); err != nil {
		return err
	}
	if _, err := conn.Write(question); err != nil {
		return err
	}
	_, err := conn.Read(make([]byte, 512))
	return err
}

func dnsQuestion() ([]byte, error) {
	name, err := dnsmessage.NewName("kubernetes.default.svc.cluster.local.")
	if err != nil {
		return nil, fmt.Errorf("build question: %w", err)
	}
	message := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 1, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	packed, err := message.Pack()
	if err != nil {
		return nil, fmt.Errorf("build question: %w", err)
	}
	return packed, nil
}
