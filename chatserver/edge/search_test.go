// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/edge"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

const searchPath = "/api/v1/agent/search"

// search asks as the agent of a cookie and expects an answer.
func search(t *testing.T, r *servertest.Replica, cookie *http.Cookie, body string) protocol.SearchAnswer {
	t.Helper()
	response, code := call(t, r, http.MethodPost, searchPath, body, withCookie(cookie))
	if response.StatusCode != http.StatusOK {
		t.Fatalf("search %s: %s %s", body, response.Status, code)
	}
	var answer protocol.SearchAnswer
	if err := json.Unmarshal(response.Body, &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// searchUntil asks again until there are hits: the index follows a little later.
func searchUntil(
	t *testing.T, r *servertest.Replica, cookie *http.Cookie, body string, hits int,
) protocol.SearchAnswer {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Second) {
		if answer := search(t, r, cookie, body); len(answer.Hits) == hits {
			return answer
		}
	}
	t.Fatalf("%s never had %d hits", body, hits)
	return protocol.SearchAnswer{}
}

func TestAnAgentFindsWhatAVisitorSaidAndWhoTheyAre(t *testing.T) {
	db := storetest.New(t)
	r := servertest.Start(t, db)
	servertest.NewAgent(t, db, grace, "Grace")
	visitor := connect(t, r)
	greet(visitor, newVisitor(t, r))
	visitor.say(`{"type":"open","clientId":"` + uuid.NewString() + `","contact":{"name":"Ada","email":"Ada@example.org",
		"phone":"+49 30 1234","externalId":"K-7"}}`)
	conversation := nextOf[*protocol.Opened](visitor).Conversation
	visitor.say(sendFrame(t, conversation.String(), uuid.NewString(), "My parcel to Łódź never came"))
	nextOf[*protocol.Ack](visitor)
	cookie := signIn(t, r)
	hit := searchUntil(t, r, cookie, `{"text":"PARCEL lodz"}`, 1).Hits[0]
	if hit.Conversation != conversation || hit.Seq != 1 || hit.Excerpt.Reveal() != "My parcel to Łódź never came" ||
		hit.Contact == nil || hit.Contact.Name.Reveal() != "Ada" || hit.Contact.Phone.Reveal() != "+49 30 1234" {
		t.Errorf("hit = %+v", hit)
	}
	for _, who := range []string{
		`{"email":"ada@EXAMPLE.org"}`, `{"phone":"0049 301234"}`, `{"externalId":"K-7"}`,
		`{"email":"ada@example.org","text":"parcel"}`,
	} {
		if answer := search(t, r, cookie, who); len(answer.Hits) != 1 || answer.Hits[0].Conversation != conversation {
			t.Errorf("%s has %d hits", who, len(answer.Hits))
		}
	}
	for _, nobody := range []string{`{"email":"ada@example.com"}`, `{"externalId":"k-7"}`, `{"text":"parcels"}`} {
		if answer := search(t, r, cookie, nobody); len(answer.Hits) != 0 {
			t.Errorf("%s has %d hits", nobody, len(answer.Hits))
		}
	}
}

func TestOnlyAgentsSearch(t *testing.T) {
	db := storetest.New(t)
	r := servertest.Start(t, db)
	servertest.NewAgent(t, db, grace, "Grace")
	token, cookie := newVisitor(t, r), signIn(t, r)
	tests := map[string]struct {
		header http.Header
		want   protocol.Code
	}{
		"nobody":                      {nil, protocol.Unauthenticated},
		"a visitor":                   {http.Header{"Authorization": {"Bearer " + token}}, protocol.Forbidden},
		"a visitor's token as cookie": {http.Header{"Cookie": {"__Host-session=" + token}}, protocol.Unauthenticated},
		"a visitor beside an agent's cookie": {http.Header{
			"Authorization": {"Bearer " + token}, "Cookie": {cookie.Name + "=" + cookie.Value},
		}, protocol.Forbidden},
		"a forged token": {http.Header{"Authorization": {"Bearer " + strings.Repeat("A", 43)}}, protocol.Unauthenticated},
		"another site": {http.Header{
			"Origin": {"https://evil.example"}, "Cookie": {cookie.Name + "=" + cookie.Value},
		}, protocol.Forbidden},
		"an agent": {withCookie(cookie), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, code := call(t, r, http.MethodPost, searchPath, `{"text":"hello"}`, tt.header); code != tt.want {
				t.Errorf("answered %q, want %q", code, tt.want)
			}
		})
	}
	response, _ := call(t, r, http.MethodGet, searchPath+"?text=hello", "", withCookie(cookie))
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("words in a URL are answered with %s", response.Status)
	}
}

func TestASearchThatAsksForNothingIsRefused(t *testing.T) {
	db := storetest.New(t)
	r := servertest.Start(t, db)
	servertest.NewAgent(t, db, grace, "Grace")
	cookie := signIn(t, r)
	for _, body := range []string{
		`{}`, `{"text":""}`, `{"text":" ! "}`, `{"text":"a"}`, `{"text":1}`, `{"text":"x y","unknown":1}`,
		`{"text":"` + strings.Repeat("x", 201) + `"}`, `{"email":"nobody"}`, `{"phone":"12"}`, `{"phone":"call me 123"}`,
		`{"email":"a@b.c","phone":"1234"}`, `{"text":"hello","before":"x"}`,
		`{"text":"hello","before":"` + strings.Repeat("_", 32) + `"}`, `{"externalId":"a\nb"}`,
	} {
		if _, code := call(t, r, http.MethodPost, searchPath, body, withCookie(cookie)); code != protocol.InvalidRequest {
			t.Errorf("%.60s is answered with %q", body, code)
		}
	}
}

func TestTooManySearchesAreToldWhenToTryAgain(t *testing.T) {
	db := storetest.New(t)
	limits := servertest.Generous()
	limits.Searches = edge.Rate{PerSecond: 0.001, Burst: 3}
	r := servertest.Start(t, db, servertest.WithLimits(limits))
	servertest.NewAgent(t, db, grace, "Grace")
	cookie := signIn(t, r)
	for range 3 {
		search(t, r, cookie, `{"text":"hello"}`)
	}
	response, code := call(t, r, http.MethodPost, searchPath, `{"text":"hello"}`, withCookie(cookie))
	if after := response.Header.Get("Retry-After"); code != protocol.RateLimited || after == "" || after == "0" {
		t.Errorf("the fourth search is answered with %q, Retry-After %q", code, after)
	}
}

func TestAConversationThatWasFoundIsOpenedByNamingItThoughOthersAreNewer(t *testing.T) {
	overEach(t, aFoundConversationIsOpenedByNamingIt)
}

func aFoundConversationIsOpenedByNamingIt(t *testing.T, over carrier) {
	t.Helper()
	db := storetest.New(t)
	r := servertest.Start(t, db)
	servertest.NewAgent(t, db, grace, "Grace")
	token := newVisitor(t, r)
	visitor := over.to(t, r)
	greet(visitor, token)
	visitor.say(`{"type":"open","clientId":"` + uuid.NewString() + `"}`)
	found := nextOf[*protocol.Opened](visitor).Conversation
	visitor.say(sendFrame(t, found.String(), uuid.NewString(), "a needle"))
	epoch := nextOf[*protocol.Ack](visitor).Epoch
	// As many as an agent is told of on arrival.
	s := db.Open(t)
	for i := range 200 {
		v, err := s.CreateVisitor(t.Context(), [32]byte{1, byte(i)}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.OpenConversation(t.Context(), v.ID, uuid.New(), store.Contact{}); err != nil {
			t.Fatal(err)
		}
	}
	// The server looks again and again at what was said lately, and then brings it to everyone.
	_, err := db.Admin(t).Exec(t.Context(),
		`UPDATE conversation SET touched_at = now() - interval '1 hour' WHERE id = $1`, found)
	if err != nil {
		t.Fatal(err)
	}
	cookie := signIn(t, r)
	for hello, want := range map[string]int64{"": 0, cursors(found.String(), epoch, 0): 1} {
		agent := over.as(t, r, cookie)
		agent.say(`{"type":"hello","protocol":1` + hello + `}`)
		if got := told(agent, 200+int(want), found); got != want {
			t.Errorf("hello with %q is told of %d events", hello, got)
		}
	}
	// Naming it helps nobody who may not read it: the answer is that for one that does not exist.
	stranger := over.to(t, r)
	asked := cursors(found.String(), epoch, 0)
	stranger.say(`{"type":"hello","protocol":1,"token":"` + newVisitor(t, r) + `"` + asked + `}`)
	nextOf[*protocol.Welcome](stranger)
	stranger.say(`{"type":"ping"}`)
	for answered := false; !answered; {
		switch frame := next(stranger).(type) {
		case *protocol.Presence, *protocol.Reset:
		case *protocol.Heartbeat:
			if answered = true; len(frame.Heads) > 0 {
				t.Errorf("a stranger who names it hears %+v", frame)
			}
		default:
			t.Errorf("a stranger who names it is told %+v", frame)
		}
	}
}

// told reads until that many conversations are caught up and returns how far one of them is, 0 if it was not among
// them.
func told(w peer, conversations int, one uuid.UUID) (seq int64) {
	w.test().Helper()
	for range conversations {
		if frame := nextOf[*protocol.CaughtUp](w); frame.Conversation == one {
			seq = frame.Seq
		}
	}
	return seq
}
