// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/chattenant/chattenant/chatserver/edge"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

func TestCredentialsThatAreNotPlainUniqueStringsAreRefused(t *testing.T) {
	db := storetest.New(t)
	r := servertest.Start(t, db)
	servertest.NewAgent(t, db, grace, "Grace")
	const email, right = `"grace@example.org"`, `"` + servertest.Password + `"`
	invalid, unauthenticated := protocol.InvalidRequest, protocol.Unauthenticated
	bodies := map[string]struct {
		body string
		want protocol.Code
	}{
		"right":               {`{"email":` + email + `,"password":` + right + `}`, ""},
		"wrong password":      {`{"email":` + email + `,"password":"wrong horse battery"}`, unauthenticated},
		"unknown account":     {`{"email":"nobody@example.org","password":` + right + `}`, unauthenticated},
		"empty":               {`{"email":"","password":""}`, unauthenticated},
		"missing password":    {`{"email":` + email + `}`, unauthenticated},
		"object":              {`{"email":` + email + `,"password":{"$ne":""}}`, invalid},
		"array":               {`{"email":[` + email + `],"password":` + right + `}`, invalid},
		"number":              {`{"email":` + email + `,"password":1}`, invalid},
		"true":                {`{"email":` + email + `,"password":true}`, invalid},
		"null":                {`{"email":` + email + `,"password":null}`, invalid},
		"repeated password":   {`{"email":` + email + `,"password":"x","password":` + right + `}`, invalid},
		"repeated other case": {`{"email":` + email + `,"password":"x","Password":` + right + `}`, invalid},
		"unknown key":         {`{"email":` + email + `,"password":` + right + `,"role":"admin"}`, invalid},
		"array body":          {`[{"email":` + email + `,"password":` + right + `}]`, invalid},
		"null body":           {`null`, invalid},
		"trailing":            {`{"email":` + email + `,"password":` + right + `}{}`, invalid},
		"too large":           {`{"email":"` + strings.Repeat("x", protocol.MaxBody) + `"}`, protocol.TooLarge},
	}
	for name, test := range bodies {
		t.Run(name, func(t *testing.T) {
			response, code := call(t, r, http.MethodPost, "/api/v1/agent/session", test.body, nil)
			if code != test.want {
				t.Errorf("answers %s %q, want %q", response.Status, code, test.want)
			}
			if test.want != "" && len(response.Cookies) > 0 {
				t.Error("a refusal sets a cookie")
			}
		})
	}
	for _, contentType := range []string{"text/plain", "application/x-www-form-urlencoded", ""} {
		body := `{"email":` + email + `,"password":` + right + `}`
		header := http.Header{"Content-Type": {contentType}}
		if response, code := call(t, r, http.MethodPost, "/api/v1/agent/session", body, header); code != invalid {
			t.Errorf("content type %q answers %s", contentType, response.Status)
		}
	}
}

func TestInvitationsWorkOnceAndOnlyWithALongEnoughPassword(t *testing.T) {
	db := storetest.New(t)
	r := servertest.Start(t, db)
	token := servertest.Invite(t, db, grace, "Grace")
	redeem := func(password string) protocol.Code {
		body := fmt.Sprintf(`{"token":%q,"password":%q}`, token, password)
		response, code := call(t, r, http.MethodPost, "/api/v1/agent/invitation", body, nil)
		if response.StatusCode == http.StatusOK && len(response.Cookies) == 0 {
			t.Error("redeeming does not sign in")
		}
		return code
	}
	if code := redeem("too short"); code != protocol.InvalidRequest {
		t.Errorf("a short password answers %q", code)
	}
	if code := redeem(servertest.Password); code != "" {
		t.Errorf("the first use answers %q", code)
	}
	if code := redeem("another long password"); code != protocol.Unauthenticated {
		t.Errorf("the second use answers %q", code)
	}
	signIn(t, r)
}

func TestAnExpiredInvitationIsRefused(t *testing.T) {
	db := storetest.New(t)
	r := servertest.Start(t, db)
	token := servertest.Invite(t, db, grace, "Grace")
	if _, err := db.Admin(t).Exec(t.Context(), `UPDATE invitation SET expires_at = now()`); err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"token":%q,"password":%q}`, token, servertest.Password)
	if _, code := call(t, r, http.MethodPost, "/api/v1/agent/invitation", body, nil); code != protocol.Unauthenticated {
		t.Errorf("answers %q", code)
	}
}

// scarce leaves room for n of each and no more during a test.
func scarce(n int) edge.Limits {
	few := edge.Rate{PerSecond: 0.001, Burst: n}
	l := servertest.Generous()
	l.VisitorSessions, l.SignIns, l.Accounts, l.VisitorMessages, l.Handshakes = few, few, few, few, few
	return l
}

func TestTooManyRequestsAreTurnedAwayPolitelyAndOthersAreNot(t *testing.T) {
	r := servertest.Start(t, storetest.New(t), servertest.WithLimits(scarce(3)))
	create := func(source string) (answer, protocol.Code) {
		return callFrom(t, r, source, http.MethodPost, "/api/v1/visitor/session", `{}`, nil)
	}
	for i := range 3 {
		if response, code := create("198.51.100.1:1000"); code != "" {
			t.Fatalf("request %d: %s", i, response.Status)
		}
	}
	response, code := create("198.51.100.1:2000")
	if response.StatusCode != http.StatusTooManyRequests || code != protocol.RateLimited {
		t.Errorf("the fourth from one address: %s %s", response.Status, code)
	}
	if after, err := strconv.Atoi(response.Header.Get("Retry-After")); err != nil || after < 1 {
		t.Errorf("Retry-After = %q", response.Header.Get("Retry-After"))
	}
	if _, code := create("198.51.100.2:1000"); code != "" {
		t.Errorf("another address is turned away: %s", code)
	}
	// One IPv6 client has a whole /64 to come from.
	for i := range 3 {
		create(fmt.Sprintf("[2001:db8::%d]:1000", i+1))
	}
	if _, code := create("[2001:db8::ffff:1]:1000"); code != protocol.RateLimited {
		t.Errorf("the fourth from one /64 answers %q", code)
	}
	if _, code := create("[2001:db8:0:1::1]:1000"); code != "" {
		t.Errorf("another /64 is turned away: %s", code)
	}
}

func TestAttemptsOnOneAccountAreBoundedFromWhereverTheyCome(t *testing.T) {
	r := servertest.Start(t, storetest.New(t), servertest.WithLimits(scarce(3)))
	attempt := func(i int, email string) protocol.Code {
		body := fmt.Sprintf(`{"email":%q,"password":"wrong horse battery"}`, email)
		_, code := callFrom(t, r, fmt.Sprintf("198.51.100.%d:1", i), http.MethodPost, "/api/v1/agent/session", body, nil)
		return code
	}
	for i, email := range []string{"grace@example.org", "Grace@Example.org", " grace@example.org "} {
		if code := attempt(i, email); code != protocol.Unauthenticated {
			t.Errorf("attempt %d answers %q", i, code)
		}
	}
	if code := attempt(9, "grace@example.org"); code != protocol.RateLimited {
		t.Errorf("the fourth attempt answers %q", code)
	}
	if code := attempt(10, "ada@example.org"); code != protocol.Unauthenticated {
		t.Errorf("another account answers %q", code)
	}
}

func TestTooManyMessagesAreAnsweredWithWhenToTryAgain(t *testing.T) {
	overEach(t, tooManyMessagesAreAnsweredWithWhenToTryAgain)
}

func tooManyMessagesAreAnsweredWithWhenToTryAgain(t *testing.T, over carrier) {
	t.Helper()
	r := servertest.Start(t, storetest.New(t), servertest.WithLimits(scarce(3)))
	w := over.to(t, r)
	greet(w, newVisitor(t, r))
	id := "0192b3c4-0000-7000-8000-000000000001"
	w.say(`{"type":"open","clientId":"` + id + `"}`)
	conversation := nextOf[*protocol.Opened](w).Conversation.String()
	for range 3 {
		w.say(sendFrame(t, conversation, id, "hello"))
	}
	answer := nextOf[*protocol.Error](w)
	if answer.Code != protocol.RateLimited || answer.RetryAfterMs <= 0 || answer.ClientID.String() != id {
		t.Errorf("answered %+v", answer)
	}
	w.say(`{"type":"ping"}`)
	nextOf[*protocol.Heartbeat](w)
}

func TestAFloodOfFramesEndsTheSocket(t *testing.T) {
	limits := servertest.Generous()
	limits.Frames = edge.Rate{PerSecond: 0.001, Burst: 10}
	r := servertest.Start(t, storetest.New(t), servertest.WithLimits(limits))
	w := connect(t, r)
	greet(w, newVisitor(t, r))
	for range 10 {
		w.say(`{"type":"ping"}`)
	}
	if code, closed := w.expectEnd(); code != protocol.InvalidRequest || closed != policyViolation {
		t.Errorf("answered %q and closed with %d", code, closed)
	}
}
