// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package outside

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

// Names is a name server for the zone [topology.OutsideAnswers], whose names hold their own answers: what an attacker
// does who owns a domain. The label before the zone lists addresses in hexadecimal, "-" between answers that follow one
// another and "x" within an answer:
//
//	0b16210a-0a600001.answers.example          11.22.33.10 at first, then 10.96.0.1, then again
//	0b16210ax0a600001.answers.example          both at once
//	run1.0b16210a-0a600001.answers.example     the same, counted by itself
//
// An address of 32 digits is of IPv6. Questions of each name and type are counted, and nothing may be kept: the TTL is
// zero.
type Names struct {
	mu    sync.Mutex
	asked map[dnsmessage.Question]int
}

// maxQuery is the largest question over UDP, in bytes.
const maxQuery = 1500

// Serve answers on an address until ctx ends.
func (n *Names) Serve(ctx context.Context, address string) error {
	connection, err := (&net.ListenConfig{}).ListenPacket(ctx, "udp", address)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = connection.Close() })
	buffer := make([]byte, maxQuery)
	for {
		length, peer, err := connection.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		if reply, err := n.reply(buffer[:length]); err == nil {
			_, _ = connection.WriteTo(reply, peer)
		}
	}
}

// reply is an error for what is no question.
func (n *Names) reply(query []byte) ([]byte, error) {
	var parser dnsmessage.Parser
	header, err := parser.Start(query)
	if err != nil || header.Response {
		return nil, errors.Join(errors.New("not a query"), err)
	}
	question, err := parser.Question()
	if err != nil {
		return nil, err
	}
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: header.ID, Response: true, Authoritative: true},
		Questions: []dnsmessage.Question{question},
	}
	answers, err := n.next(question)
	if err != nil {
		reply.RCode = dnsmessage.RCodeNameError
	}
	for _, address := range answers {
		reply.Answers = append(reply.Answers, resource(question, address))
	}
	return reply.Pack()
}

// next are the addresses of the question's type whose turn it is.
func (n *Names) next(question dnsmessage.Question) ([]netip.Addr, error) {
	turns, err := script(question.Name.String())
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.asked == nil {
		n.asked = map[dnsmessage.Question]int{}
	}
	turn := turns[n.asked[question]%len(turns)]
	n.asked[question]++
	var fitting []netip.Addr
	for _, address := range turn {
		if typeOf(address) == question.Type {
			fitting = append(fitting, address)
		}
	}
	return fitting, nil
}

func typeOf(address netip.Addr) dnsmessage.Type {
	if address.Is4() {
		return dnsmessage.TypeA
	}
	return dnsmessage.TypeAAAA
}

// script reads the answers that a name holds.
func script(name string) ([][]netip.Addr, error) {
	labels, ok := strings.CutSuffix(strings.ToLower(name), "."+topology.OutsideAnswers+".")
	if !ok {
		return nil, fmt.Errorf("%s is not below %s", name, topology.OutsideAnswers)
	}
	label := labels[strings.LastIndex(labels, ".")+1:]
	var turns [][]netip.Addr
	for turn := range strings.SplitSeq(label, "-") {
		var addresses []netip.Addr
		for digits := range strings.SplitSeq(turn, "x") {
			raw, err := hex.DecodeString(digits)
			address, ok := netip.AddrFromSlice(raw)
			if err != nil || !ok {
				return nil, fmt.Errorf("%q is no address", digits)
			}
			addresses = append(addresses, address)
		}
		turns = append(turns, addresses)
	}
	return turns, nil
}

func resource(question dnsmessage.Question, address netip.Addr) dnsmessage.Resource {
	header := dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: question.Class}
	if address.Is4() {
		return dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: address.As4()}}
	}
	return dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: address.As16()}}
}
