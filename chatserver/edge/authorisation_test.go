// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// TestAVisitorsTokenOpensNothingOfAnother tries one visitor's token on every frame and route with the other's ids.
func TestAVisitorsTokenOpensNothingOfAnother(t *testing.T) {
	overEach(t, aVisitorsTokenOpensNothingOfAnother)
}

func aVisitorsTokenOpensNothingOfAnother(t *testing.T, over carrier) {
	t.Helper()
	r := servertest.Start(t, storetest.New(t))
	victim := over.to(t, r)
	greet(victim, newVisitor(t, r))
	victim.say(`{"type":"open","clientId":"` + uuid.NewString() + `","contact":{"name":"Ada"}}`)
	conversation := nextOf[*protocol.Opened](victim).Conversation.String()
	message := uuid.NewString()
	victim.say(sendFrame(t, conversation, message, "for nobody else"))
	nextOf[*protocol.Ack](victim)

	token := newVisitor(t, r)
	intruder := over.to(t, r)
	// A cursor before the victim's message asks for it.
	intruder.say(`{"type":"hello","protocol":1,"token":"` + token + `"` + cursors(conversation, 1, 0) + `}`)
	nextOf[*protocol.Welcome](intruder)
	if there := nextOf[*protocol.Presence](intruder); len(there.People) > 0 {
		t.Errorf("the intruder hears who else is there: %+v", there.People)
	}
	// Neither a new client id nor the victim's own gets an answer about the conversation.
	for _, id := range []string{uuid.NewString(), message} {
		intruder.say(sendFrame(t, conversation, id, "let me in"))
		if answer := answerTo(intruder); !isRefusal(answer, protocol.NotFound) {
			t.Fatalf("send answered %+v", answer)
		}
	}
	victim.say(sendFrame(t, conversation, uuid.NewString(), "still for nobody else"))
	nextOf[*protocol.Ack](victim)
	intruder.say(`{"type":"ping"}`)
	if beat := nextOf[*protocol.Heartbeat](intruder); len(beat.Heads) > 0 {
		t.Errorf("the intruder hears of another's conversation: %+v", beat)
	}
	for _, header := range []http.Header{
		{"Cookie": {"__Host-session=" + token}}, {"Authorization": {"Bearer " + token}},
	} {
		response, code := call(t, r, http.MethodGet, "/api/v1/agent/session", "", header)
		if code != protocol.Unauthenticated {
			t.Errorf("the agents' route answers a visitor's token with %s", response.Status)
		}
	}
}

func isRefusal(frame protocol.Frame, code protocol.Code) bool {
	e, ok := frame.(*protocol.Error)
	return ok && e.Code == code
}

func TestAgentsAndVisitorsKeepToTheirParts(t *testing.T) {
	overEach(t, agentsAndVisitorsKeepToTheirParts)
}

func agentsAndVisitorsKeepToTheirParts(t *testing.T, over carrier) {
	t.Helper()
	db := storetest.New(t)
	r := servertest.Start(t, db)
	servertest.NewAgent(t, db, grace, "Grace")
	cookie := signIn(t, r)
	agent := over.as(t, r, cookie)
	agent.say(`{"type":"hello","protocol":1}`)
	if self := nextOf[*protocol.Welcome](agent).Self; self.Kind != protocol.Agent || self.DisplayName.Reveal() != "Grace" {
		t.Errorf("the agent is welcomed as %s", self.Kind)
	}
	agent.say(`{"type":"open","clientId":"` + uuid.NewString() + `"}`)
	if answer := nextOf[*protocol.Error](agent); answer.Code != protocol.Forbidden {
		t.Errorf("an agent's open answers %s", answer.Code)
	}
	// With a token the same browser is a visitor, cookie or not.
	visitor := over.as(t, r, cookie)
	visitor.say(`{"type":"hello","protocol":1,"token":"` + newVisitor(t, r) + `"}`)
	if self := nextOf[*protocol.Welcome](visitor).Self; self.Kind != protocol.Visitor {
		t.Errorf("with a token the socket is a %s", self.Kind)
	}
	// An agent's cookie value is no visitor's token.
	forged := over.to(t, r)
	forged.say(`{"type":"hello","protocol":1,"token":"` + cookie.Value + `"}`)
	if code, _ := forged.expectEnd(); code != protocol.Unauthenticated {
		t.Errorf("the cookie as token answers %q", code)
	}
}

func TestParallelOpensMakeOneConversation(t *testing.T) {
	db := storetest.New(t)
	replicas := []*servertest.Replica{servertest.Start(t, db), servertest.Start(t, db)}
	token := newVisitor(t, replicas[0])
	const sockets = 12
	answers := make(chan *protocol.Opened, sockets)
	var wires []*wire
	for i := range sockets {
		w := connect(t, replicas[i%2])
		greet(w, token)
		wires = append(wires, w)
	}
	for _, w := range wires {
		w.say(`{"type":"open","clientId":"` + uuid.NewString() + `"}`)
	}
	for _, w := range wires {
		answers <- nextOf[*protocol.Opened](w)
	}
	first := <-answers
	for range sockets - 1 {
		if other := <-answers; other.Conversation != first.Conversation || !other.OpenedAt.Equal(first.OpenedAt.Time) {
			t.Errorf("two conversations: %s and %s", first.Conversation, other.Conversation)
		}
	}
	var rows int
	if err := db.Admin(t).QueryRow(t.Context(), `SELECT count(*) FROM conversation`).Scan(&rows); err != nil || rows != 1 {
		t.Errorf("%d conversations, %v", rows, err)
	}
}

func TestSigningOutClosesTheSessionsSocketsOnEveryReplica(t *testing.T) {
	overEach(t, signingOutClosesTheSessionsSocketsOnEveryReplica)
}

func signingOutClosesTheSessionsSocketsOnEveryReplica(t *testing.T, over carrier) {
	t.Helper()
	db := storetest.New(t)
	one, two := servertest.Start(t, db), servertest.Start(t, db)
	servertest.NewAgent(t, db, grace, "Grace")
	cookie, other := signIn(t, one), signIn(t, one)
	var sockets []peer
	for _, r := range []*servertest.Replica{one, two} {
		w := over.as(t, r, cookie)
		w.say(`{"type":"hello","protocol":1}`)
		nextOf[*protocol.Welcome](w)
		sockets = append(sockets, w)
	}
	stays := over.as(t, two, other)
	stays.say(`{"type":"hello","protocol":1}`)
	nextOf[*protocol.Welcome](stays)
	response, _ := call(t, one, http.MethodDelete, "/api/v1/agent/session", "", withCookie(cookie))
	if response.StatusCode != http.StatusNoContent {
		t.Fatalf("sign out: %s", response.Status)
	}
	for i, w := range sockets {
		expectRefusal(t, fmt.Sprintf("connection %d", i), w, protocol.Unauthenticated)
	}
	_, code := call(t, two, http.MethodGet, "/api/v1/agent/session", "", withCookie(cookie))
	if code != protocol.Unauthenticated {
		t.Errorf("the cookie still answers %q", code)
	}
	w := over.as(t, two, cookie)
	w.say(`{"type":"hello","protocol":1}`)
	if code, _ := w.expectEnd(); code != protocol.Unauthenticated {
		t.Errorf("a new socket with the old cookie answers %q", code)
	}
	stays.say(`{"type":"ping"}`)
	nextOf[*protocol.Heartbeat](stays)
}

func TestASessionThatExpiresClosesItsSocket(t *testing.T) {
	overEach(t, aSessionThatExpiresClosesItsSocket)
}

func aSessionThatExpiresClosesItsSocket(t *testing.T, over carrier) {
	t.Helper()
	db := storetest.New(t)
	r := servertest.Start(t, db)
	servertest.NewAgent(t, db, grace, "Grace")
	cookie := signIn(t, r)
	_, err := db.Admin(t).Exec(t.Context(), `UPDATE agent_session SET expires_at = now() + interval '1 second'`)
	if err != nil {
		t.Fatal(err)
	}
	w := over.as(t, r, cookie)
	w.say(`{"type":"hello","protocol":1}`)
	expectRefusal(t, "the session", w, protocol.Unauthenticated)
}

func TestTheSessionCookieHasEveryProtection(t *testing.T) {
	db := storetest.New(t)
	r := servertest.Start(t, db)
	servertest.NewAgent(t, db, grace, "Grace")
	c := signIn(t, r)
	if c.Name != "__Host-session" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode ||
		c.Path != "/" || c.Domain != "" {
		t.Errorf("cookie = %s", strings.ReplaceAll(c.Raw, c.Value, "..."))
	}
	if dump := db.Dump(t); strings.Contains(dump, c.Value) {
		t.Error("the database knows the cookie's value")
	}
}
