// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package outside

import (
	"context"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// ask puts a question to the name server and returns the addresses, or the response code if it is not success.
func ask(t *testing.T, n *Names, name string, kind dnsmessage.Type) string {
	t.Helper()
	query := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
	}
	packed, err := query.Pack()
	if err != nil {
		t.Fatal(err)
	}
	reply, err := n.reply(packed)
	if err != nil {
		t.Fatal(err)
	}
	var answer dnsmessage.Message
	if err := answer.Unpack(reply); err != nil {
		t.Fatal(err)
	}
	if answer.ID != 7 || !answer.Response {
		t.Errorf("the reply does not belong to the question: %+v", answer.Header)
	}
	if answer.RCode != dnsmessage.RCodeSuccess {
		return answer.RCode.String()
	}
	var addresses []string
	for _, r := range answer.Answers {
		if r.Header.TTL != 0 {
			t.Errorf("%s may be kept for %d s", name, r.Header.TTL)
		}
		switch body := r.Body.(type) {
		case *dnsmessage.AResource:
			addresses = append(addresses, net.IP(body.A[:]).String())
		case *dnsmessage.AAAAResource:
			addresses = append(addresses, net.IP(body.AAAA[:]).String())
		}
	}
	return strings.Join(addresses, " ")
}

func TestANameHoldsItsOwnAnswers(t *testing.T) {
	const (
		zone     = ".answers.example."
		internal = "fd000000000000000000000000000001"
	)
	var n Names
	for _, step := range []struct {
		name string
		kind dnsmessage.Type
		want string
	}{
		{"0b16210a-0a600001", dnsmessage.TypeA, "11.22.33.10"},
		{"0b16210a-0a600001", dnsmessage.TypeAAAA, ""},
		{"0b16210a-0a600001", dnsmessage.TypeA, "10.96.0.1"},
		{"0b16210a-0a600001", dnsmessage.TypeA, "11.22.33.10"},
		{"another.0b16210a-0a600001", dnsmessage.TypeA, "11.22.33.10"},
		{"0b16210ax0a600001", dnsmessage.TypeA, "11.22.33.10 10.96.0.1"},
		{internal, dnsmessage.TypeA, ""},
		{internal, dnsmessage.TypeAAAA, "fd00::1"},
		{"nothing", dnsmessage.TypeA, "RCodeNameError"},
		{"0b1621", dnsmessage.TypeA, "RCodeNameError"},
	} {
		if got := ask(t, &n, step.name+zone, step.kind); got != step.want {
			t.Errorf("%s %s: %q, want %q", step.name, step.kind, got, step.want)
		}
	}
	if got := ask(t, &n, "0b16210a.example.", dnsmessage.TypeA); got != "RCodeNameError" {
		t.Errorf("beyond the zone: %q", got)
	}
}

func TestWhatIsNoQuestionIsNotAnswered(t *testing.T) {
	var n Names
	empty := strings.Repeat("\x00", 12)
	for _, packet := range []string{"", "x", empty, "\x00\x07\x80\x00\x00\x01" + empty[6:]} {
		if reply, err := n.reply([]byte(packet)); err == nil {
			t.Errorf("%q is answered with %q", packet, reply)
		}
	}
}

func TestTheServerEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := new(Names).Serve(ctx, "127.0.0.1:0"); err != nil {
		t.Error(err)
	}
}
