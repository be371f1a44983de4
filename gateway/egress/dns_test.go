// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress_test

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// zone answers one name. It is told how often it was asked for this type of record.
type zone func(kind dnsmessage.Type, nth int) answer

// answer is what DNS says of a name: addresses, by way of another name if alias is set, or a failure.
type answer struct {
	addrs  []string
	alias  string
	code   dnsmessage.RCode
	silent bool
}

func addresses(addrs ...string) zone {
	return func(dnsmessage.Type, int) answer { return answer{addrs: addrs} }
}

// dnsServer is a name server on loopback.
type dnsServer struct {
	conn net.PacketConn

	mu    sync.Mutex
	zones map[string]zone
	asked map[dnsmessage.Question]int
}

func startDNS(tb testing.TB) *dnsServer {
	tb.Helper()
	conn, err := new(net.ListenConfig).ListenPacket(tb.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &dnsServer{conn: conn, zones: map[string]zone{}, asked: map[dnsmessage.Question]int{}}
	var running sync.WaitGroup
	running.Go(s.serve)
	tb.Cleanup(func() {
		_ = conn.Close()
		running.Wait()
	})
	return s
}

// resolver is Go's own, as in the gateway, asking this server only.
func (s *dnsServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", s.conn.LocalAddr().String())
	}}
}

func (s *dnsServer) set(host string, z zone) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zones[host+"."] = z
}

// questions are the names that were asked for, each once.
func (s *dnsServer) questions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for question := range s.asked {
		names = append(names, question.Name.String())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// times is how often the name was asked for, in the type that was asked for most.
func (s *dnsServer) times(host string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	most := 0
	for question, n := range s.asked {
		if question.Name.String() == host+"." {
			most = max(most, n)
		}
	}
	return most
}

func (s *dnsServer) serve() {
	buffer := make([]byte, 1500)
	for {
		n, from, err := s.conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		var query dnsmessage.Message
		if query.Unpack(buffer[:n]) != nil || len(query.Questions) != 1 {
			continue
		}
		if reply, ok := s.reply(query); ok {
			_, _ = s.conn.WriteTo(reply, from)
		}
	}
}

func (s *dnsServer) reply(query dnsmessage.Message) ([]byte, bool) {
	question := query.Questions[0]
	s.mu.Lock()
	s.asked[question]++
	nth := s.asked[question]
	z := s.zones[strings.ToLower(question.Name.String())]
	s.mu.Unlock()
	said := answer{code: dnsmessage.RCodeNameError}
	if z != nil {
		said = z(question.Type, nth)
	}
	reply := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: query.ID, Response: true, Authoritative: true, RecursionDesired: true, RecursionAvailable: true,
			RCode: said.code,
		},
		Questions: query.Questions,
		Answers:   said.records(question),
	}
	packed, err := reply.Pack()
	return packed, err == nil && !said.silent
}

// records gives the addresses of the type that was asked for.
func (a answer) records(question dnsmessage.Question) []dnsmessage.Resource {
	var records []dnsmessage.Resource
	name := question.Name
	if a.alias != "" {
		target := dnsmessage.MustNewName(a.alias + ".")
		records = append(records, record(name, &dnsmessage.CNAMEResource{CNAME: target}))
		name = target
	}
	for _, text := range a.addrs {
		addr := netip.MustParseAddr(text)
		switch {
		case addr.Is4() && question.Type == dnsmessage.TypeA:
			records = append(records, record(name, &dnsmessage.AResource{A: addr.As4()}))
		case addr.Is6() && question.Type == dnsmessage.TypeAAAA:
			records = append(records, record(name, &dnsmessage.AAAAResource{AAAA: addr.As16()}))
		}
	}
	return records
}

func record(name dnsmessage.Name, body dnsmessage.ResourceBody) dnsmessage.Resource {
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: 0}, Body: body,
	}
}
