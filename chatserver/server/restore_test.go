// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/client"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
	"github.com/chattenant/chattenant/test/chaos/link"
)

// restorable is a database behind a link, which can lead to another cluster from one moment to the next.
func restorable(t *testing.T) (db *storetest.Database, wire *link.Link) {
	t.Helper()
	db = storetest.New(t)
	wire, err := link.New(t.Context(), fmt.Sprintf("127.0.0.1:%d", db.Cluster.Port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = wire.Close() })
	db.Config.Port = wire.Port()
	return db, wire
}

// replace puts another cluster in the place of the one there was.
func replace(wire *link.Link, by *storetest.Cluster) {
	wire.SetTarget(fmt.Sprintf("127.0.0.1:%d", by.Port))
	wire.Reset()
}

func say(t *testing.T, s *servertest.Attendance, conversation uuid.UUID, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		if _, err := s.Send(t.Context(), conversation, body); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
	}
}

func expectTranscript(t *testing.T, who string, s *servertest.Attendance, conversation uuid.UUID, want ...string) {
	t.Helper()
	var got []string
	for _, event := range s.WaitFor(t, conversation, len(want)) {
		got = append(got, event.Body.Reveal())
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s has %q, want %q", who, got, want)
	}
}

// signIn has Grace join.
func attendAsGrace(t *testing.T, c *client.Client) *servertest.Attendance {
	t.Helper()
	who, err := c.SignIn(t.Context(), redacted.New("grace@example.org"), redacted.New(servertest.Password))
	if err != nil {
		t.Fatal(err)
	}
	return servertest.Attend(t, c, who)
}

// TestAfterARestoreEveryClientHasExactlyWhatTheDatabaseHas restores, under two replicas that go on running, a dump that
// lacks messages which were acknowledged and read. One client is away meanwhile and comes back when the places it knows
// are taken by other messages: its cursor would fit.
func TestAfterARestoreEveryClientHasExactlyWhatTheDatabaseHas(t *testing.T) {
	db, wire := restorable(t)
	servertest.NewAgent(t, db, "grace@example.org", "Grace")
	one := servertest.Start(t, db)
	two := servertest.StartBeside(t, db, one)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("one:\n%s\ntwo:\n%s", one.Log, two.Log)
		}
	})
	visitor, kept := newVisitor(t, one.Client(t))
	agent := attendAsGrace(t, two.Client(t))
	absent := signInWithLink(t, two)
	say(t, visitor, kept, "kept 1", "kept 2")
	agent.WaitFor(t, kept, 2)
	dump := db.Dump(t)
	say(t, visitor, kept, "lost 3", "lost 4")
	stranger, lost := newVisitor(t, one.Client(t))
	say(t, stranger, lost, "lost altogether")
	agent.WaitFor(t, kept, 4)
	agent.WaitFor(t, lost, 1)
	absent.WaitFor(t, kept, 4)
	absent.WaitFor(t, lost, 1)
	absent.wire.Hold()

	restored := db.Cluster.Beside(t)
	restored.Load(t, dump)
	replace(wire, restored)
	say(t, visitor, kept, "new 3", "new 4", "new 5")
	absent.wire.Reset()
	absent.wire.Heal()

	for who, s := range map[string]*servertest.Attendance{
		"the visitor": visitor, "the agent": agent, "the absent agent": absent.Attendance,
	} {
		s.WaitReset(t, kept)
		expectTranscript(t, who, s, kept, "kept 1", "kept 2", "new 3", "new 4", "new 5")
	}
	for who, s := range map[string]*servertest.Attendance{"the agent": agent, "the absent agent": absent.Attendance} {
		s.WaitReset(t, lost)
		expectTranscript(t, who, s, lost)
	}
	if err := <-stranger.Ended; err == nil {
		t.Error("a visitor whom the database does not know is still there")
	}
}

// linked is an attendance whose connection can fail.
type linked struct {
	*servertest.Attendance
	wire *link.Link
}

func signInWithLink(t *testing.T, r *servertest.Replica) linked {
	t.Helper()
	wire, err := link.New(t.Context(), r.Public)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = wire.Close() })
	behind := servertest.Replica{Public: wire.Address(), Roots: r.Roots}
	return linked{attendAsGrace(t, behind.Client(t)), wire}
}
