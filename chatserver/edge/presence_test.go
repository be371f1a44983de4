// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// TestSocketsThatEndHoweverMakeTheirOwnersOffline ends the only socket of each visitor in another way.
func TestSocketsThatEndHoweverMakeTheirOwnersOffline(t *testing.T) {
	timing := servertest.Patient()
	timing.Write, timing.Silence, timing.Heartbeat = 2*time.Second, 5*time.Second, 500*time.Millisecond
	db := storetest.New(t)
	r := servertest.Start(t, db, servertest.WithTiming(timing))
	c := r.Client(t)
	servertest.NewAgent(t, db, grace, "Grace")
	agent, err := c.SignIn(t.Context(), redacted.New(grace), redacted.New(servertest.Password))
	if err != nil {
		t.Fatal(err)
	}
	watcher := servertest.Attend(t, c, agent)
	const stays = "stays"
	type guest struct{ conversation, id uuid.UUID }
	guests := map[string]guest{}
	for name, end := range map[string]func(w *wire, conversation uuid.UUID){
		stays:           func(w *wire, _ uuid.UUID) { go drainOf(w) },
		"closes":        func(w *wire, _ uuid.UUID) { _ = w.Close() },
		"vanishes":      func(w *wire, _ uuid.UUID) { _ = w.NetConn().Close() },
		"breaks a rule": func(w *wire, _ uuid.UUID) { w.say(`{"type":"nonsense"}`) },
		"answers no ping": func(w *wire, _ uuid.UUID) {
			w.SetPingHandler(func(string) error { return nil })
			go drainOf(w)
		},
		"reads nothing": func(_ *wire, conversation uuid.UUID) {
			for range 60 {
				if _, err := watcher.Send(t.Context(), conversation, strings.Repeat("\U0001F600", 3900)); err != nil {
					t.Error(err)
				}
			}
		},
	} {
		session := newSession(t, r)
		w, _ := handshakeOver(t, r, slowDial(r), nil)
		greet(w, session.Token.Reveal())
		w.say(`{"type":"open","clientId":"` + uuid.NewString() + `"}`)
		g := guest{nextOf[*protocol.Opened](w).Conversation, session.Visitor}
		guests[name] = g
		watcher.WaitOnline(t, g.conversation, g.id, true)
		end(w, g.conversation)
	}
	for name, g := range guests {
		watcher.WaitOnline(t, g.conversation, g.id, name == stays)
	}
}

// drainOf reads until the connection ends.
func drainOf(w *wire) {
	for {
		if _, _, err := w.ReadMessage(); err != nil {
			return
		}
	}
}

func TestAnAgentIsThereFromHelloToTheEndOfTheSession(t *testing.T) {
	overEach(t, func(t *testing.T, over carrier) {
		db := storetest.New(t)
		r := servertest.Start(t, db)
		servertest.NewAgent(t, db, grace, "Grace")
		cookie := signIn(t, r)
		// One that never says hello.
		if w, status := handshake(t, r, withCookie(cookie)); w == nil {
			t.Fatal(status)
		}
		visitor := over.to(t, r)
		greet(visitor, newVisitor(t, r))
		expectAvailable(visitor, false)
		agent := over.as(t, r, cookie)
		agent.say(`{"type":"hello","protocol":1}`)
		nextOf[*protocol.Welcome](agent)
		expectAvailable(visitor, true)
		out, code := call(t, r, http.MethodDelete, "/api/v1/agent/session", "", withCookie(cookie))
		if out.StatusCode != http.StatusNoContent {
			t.Fatalf("sign out: %s %s", out.Status, code)
		}
		expectAvailable(visitor, false)
	})
}

func expectAvailable(visitor peer, want bool) {
	visitor.test().Helper()
	p := nextOf[*protocol.Presence](visitor)
	if p.Available == nil || *p.Available != want {
		visitor.test().Errorf("told %+v, want that an agent is there: %t", p, want)
	}
}
