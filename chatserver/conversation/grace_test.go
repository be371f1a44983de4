// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

const testGrace = 6 * time.Second

func TestPresenceFollowsSocketsHereAndElsewhereWithAGrace(t *testing.T) {
	ada := person{Kind: protocol.Visitor, ID: uuid.New()}
	others := []person{{Kind: protocol.Agent, ID: uuid.New()}, {Kind: protocol.Visitor, ID: uuid.New()}}
	came := func(p *presence, at time.Time) { p.came(ada, at) }
	left := func(p *presence, at time.Time) { p.left(ada, at) }
	elsewhere := func(p *presence, at time.Time) { p.heard(false, []uuid.UUID{ada.ID}, []person{ada}, at) }
	nowhere := func(p *presence, at time.Time) { p.heard(false, []uuid.UUID{ada.ID}, nil, at) }
	everyoneElse := func(p *presence, at time.Time) { p.heard(true, nil, others, at) }
	type step struct {
		after  time.Duration
		do     func(*presence, time.Time)
		online bool
	}
	pass := func(*presence, time.Time) {}
	const most = testGrace - 1
	for name, steps := range map[string][]step{
		"a socket": {{0, came, true}, {0, left, true}, {most, pass, true}, {1, pass, false}},
		"a reload": {{0, came, true}, {0, left, true}, {most, came, true}, {testGrace, pass, true}},
		"two sockets": {
			{0, came, true}, {0, came, true}, {0, left, true}, {testGrace, pass, true}, {0, left, true},
			{testGrace, pass, false},
		},
		"another replica": {{0, elsewhere, true}, {0, nowhere, true}, {testGrace, pass, false}},
		"a move":          {{0, elsewhere, true}, {0, nowhere, true}, {1, came, true}, {testGrace, pass, true}},
		"two replicas": {
			{0, elsewhere, true}, {0, came, true}, {0, left, true}, {testGrace, pass, true}, {0, nowhere, true},
			{testGrace, pass, false},
		},
		"not among everybody": {{0, elsewhere, true}, {0, everyoneElse, true}, {testGrace, pass, false}},
		"the grace is not put off": {
			{0, elsewhere, true}, {0, nowhere, true}, {testGrace / 2, nowhere, true}, {testGrace / 2, pass, false},
		},
		"back after having been off": {{0, came, true}, {0, left, true}, {testGrace, pass, false}, {0, came, true}},
	} {
		t.Run(name, func(t *testing.T) {
			p, now := newPresence(testGrace), time.Unix(1e9, 0)
			for i, s := range steps {
				now = now.Add(s.after)
				s.do(p, now)
				p.settle(now)
				if p.isOnline(ada) != s.online {
					t.Fatalf("step %d: online is %t", i, !s.online)
				}
			}
		})
	}
}

func TestOnlyWhoTurnedIsToldOf(t *testing.T) {
	ada, grace := person{Kind: protocol.Visitor, ID: uuid.New()}, person{Kind: protocol.Agent, ID: uuid.New()}
	p, now := newPresence(testGrace), time.Unix(1e9, 0)
	told := func(what string, want ...person) {
		t.Helper()
		moved, _ := p.settle(now)
		if len(moved) != len(want) {
			t.Errorf("%s: told of %d, want %d", what, len(moved), len(want))
		}
		for _, who := range want {
			if _, ok := moved[who]; !ok {
				t.Errorf("%s: not told of a %s", what, who.Kind)
			}
		}
	}
	p.came(ada, now)
	p.came(ada, now)
	p.heard(false, []uuid.UUID{grace.ID}, []person{grace}, now)
	told("arrivals", ada, grace)
	if !p.available() || p.count(protocol.Agent) != 1 || p.count(protocol.Visitor) != 1 {
		t.Error("the agent is not counted")
	}
	p.left(ada, now)
	p.heard(false, []uuid.UUID{grace.ID}, []person{grace}, now)
	told("one of two sockets gone")
	p.left(ada, now)
	p.heard(true, nil, nil, now)
	told("both gone, within the grace")
	if _, wait := p.settle(now); wait != testGrace {
		t.Errorf("to be looked at after %v", wait)
	}
	now = now.Add(testGrace)
	told("both gone", ada, grace)
	if p.available() || p.count(protocol.Visitor) != 0 {
		t.Error("somebody is left")
	}
	if _, wait := p.settle(now); wait != 0 {
		t.Errorf("nobody is leaving, but is to be looked at after %v", wait)
	}
}

func TestOtherReplicasAreToldWhatIsSoWhenItIsWritten(t *testing.T) {
	ada, grace := person{Kind: protocol.Visitor, ID: uuid.New()}, person{Kind: protocol.Agent, ID: uuid.New()}
	p, now := newPresence(testGrace), time.Unix(1e9, 0)
	p.came(ada, now)
	p.left(ada, now)
	p.came(grace, now)
	p.came(grace, now)
	p.left(grace, now)
	came, left := p.takeUnwritten()
	if len(came) != 1 || came[0] != grace || len(left) != 1 || left[0] != ada {
		t.Errorf("came %v, left %v", came, left)
	}
	p.putBack(came...)
	p.left(grace, now)
	if came, left = p.takeUnwritten(); len(came) != 0 || len(left) != 1 || left[0] != grace {
		t.Errorf("after a failure: came %v, left %v", came, left)
	}
}
