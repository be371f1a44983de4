// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package prober

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	maxDatagram = 4096
	// DefaultQuery is what dns asks for where the target names nothing.
	DefaultQuery = "kubernetes.default.svc.cluster.local."
)

func probeUDP(ctx context.Context, target Target) (Outcome, string) {
	conn, outcome, detail := connect(ctx, "udp", target.Address)
	if conn == nil {
		return outcome, detail
	}
	defer func() { _ = conn.Close() }()
	return exchange(conn, []byte("probe"), func([]byte) (string, bool) { return "", true })
}

// exchange sends a datagram and waits for one that accept takes for its answer; accept also says what to tell of it.
// A connected socket hands over ICMP rejections as errors of the next call.
func exchange(conn net.Conn, question []byte, accept func([]byte) (string, bool)) (Outcome, string) {
	if _, err := conn.Write(question); err != nil {
		return outcomeOf(err), err.Error()
	}
	buffer := make([]byte, maxDatagram)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return outcomeOf(err), err.Error()
		}
		if detail, ok := accept(buffer[:n]); ok {
			return OutcomeAnswered, detail
		}
	}
}

func probeDNS(ctx context.Context, target Target) (Outcome, string) {
	id, question, err := dnsQuery(target.Query)
	if err != nil {
		return OutcomeFailed, err.Error()
	}
	conn, outcome, detail := connect(ctx, "udp", target.Address)
	if conn == nil {
		return outcome, detail
	}
	defer func() { _ = conn.Close() }()
	return exchange(conn, question, func(answer []byte) (string, bool) { return dnsAnswer(id, answer) })
}

// dnsQuery asks for the IPv4 address of a name, which is taken as absolute.
func dnsQuery(name string) (id uint16, message []byte, err error) {
	if name == "" {
		name = DefaultQuery
	}
	question, err := dnsmessage.NewName(strings.TrimSuffix(name, ".") + ".")
	if err != nil {
		return 0, nil, fmt.Errorf("query %q: %w", name, err)
	}
	var random [2]byte
	if _, err := rand.Read(random[:]); err != nil {
		return 0, nil, fmt.Errorf("draw a query id: %w", err)
	}
	id = binary.BigEndian.Uint16(random[:])
	query := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: question, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	message, err = query.Pack()
	if err != nil {
		return 0, nil, fmt.Errorf("query %q: %w", name, err)
	}
	return id, message, nil
}

// dnsAnswer tells the response code of the answer to query id. Any code is an answer: the resolver was reached.
func dnsAnswer(id uint16, message []byte) (detail string, ok bool) {
	var parser dnsmessage.Parser
	header, err := parser.Start(message)
	if err != nil || header.ID != id || !header.Response {
		return "", false
	}
	return header.RCode.String(), true
}
