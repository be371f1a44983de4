// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package identity_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

func newHasher(t *testing.T) *identity.Hasher {
	t.Helper()
	h, err := identity.NewHasher()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestAHashMatchesItsPasswordOnly(t *testing.T) {
	h, ctx := newHasher(t), t.Context()
	password := redacted.New("correct horse battery")
	first, err := h.Hash(ctx, password)
	if err != nil {
		t.Fatal(err)
	}
	second, err := h.Hash(ctx, password)
	if err != nil {
		t.Fatal(err)
	}
	if first.Equal(second) || !strings.HasPrefix(first.Reveal(), "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Error("hashes are not salted argon2id with the parameters intended")
	}
	tests := map[string]struct {
		hash, password redacted.String
		want           bool
	}{
		"right":           {first, password, true},
		"wrong":           {first, redacted.New("correct horse batterY"), false},
		"empty password":  {first, redacted.String{}, false},
		"no hash":         {redacted.String{}, password, false},
		"no hash nor one": {redacted.String{}, redacted.String{}, false},
		"garbage":         {redacted.New("$argon2id$v=19$m=19456,t=2,p=1$x"), password, false},
		"another scheme":  {redacted.New("$2a$10$abcdefghijklmnopqrstuv"), password, false},
		"no time":         {redacted.New(strings.Replace(first.Reveal(), "t=2", "t=0", 1)), password, false},
	}
	for name, test := range tests {
		if got, err := h.Verify(ctx, test.hash, test.password); err != nil || got != test.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// TestUnknownAccountsCostTheSameWork compares what the cheapest of several runs take of a processor: what else the
// machine has to do is not in it.
func TestUnknownAccountsCostTheSameWork(t *testing.T) {
	h, ctx := newHasher(t), t.Context()
	known, err := h.Hash(ctx, redacted.New("correct horse battery"))
	if err != nil {
		t.Fatal(err)
	}
	work := func(hash redacted.String) time.Duration {
		start := processorTime(t)
		if ok, err := h.Verify(ctx, hash, redacted.New("wrong horse battery")); ok || err != nil {
			t.Fatalf("Verify = %v, %v", ok, err)
		}
		return processorTime(t) - start
	}
	a, b := time.Hour, time.Hour
	for range 5 {
		a, b = min(a, work(known)), min(b, work(redacted.String{}))
	}
	if ratio := float64(a) / float64(b); ratio < 0.3 || ratio > 3 {
		t.Errorf("a known account takes %v, an unknown one %v", a, b)
	}
}

// processorTime is what this process has used so far.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func TestSignInsBeyondTheQueueAreTurnedAway(t *testing.T) {
	h, ctx := newHasher(t), t.Context()
	const attempts = 40
	results := make(chan error, attempts)
	var wg sync.WaitGroup
	for range attempts {
		wg.Go(func() {
			_, err := h.Verify(ctx, redacted.String{}, redacted.New("x"))
			results <- err
		})
	}
	wg.Wait()
	busy := 0
	for range attempts {
		switch err := <-results; {
		case errors.Is(err, identity.ErrBusy):
			busy++
		case err != nil:
			t.Error(err)
		}
	}
	if busy == 0 || busy == attempts {
		t.Errorf("%d of %d were turned away", busy, attempts)
	}
	if _, err := h.Verify(ctx, redacted.String{}, redacted.New("x")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestWaitingToHashEndsWithTheRequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h := newHasher(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _, _ = h.Verify(t.Context(), redacted.String{}, redacted.New("x")) })
	}
	for range 20 {
		if _, err := h.Verify(ctx, redacted.String{}, redacted.New("x")); errors.Is(err, context.Canceled) {
			wg.Wait()
			return
		}
	}
	t.Error("a request that is over is still hashed for")
}

func TestOnlyTheRightPrincipalMay(t *testing.T) {
	own, other := uuid.New(), uuid.New()
	visitor := identity.Principal{Kind: protocol.Visitor, ID: own}
	agent := identity.Principal{Kind: protocol.Agent, ID: uuid.New()}
	const open, read, write, contact = identity.OpenConversation, identity.ReadConversation,
		identity.WriteConversation, identity.ReadContact
	tests := []struct {
		who    identity.Principal
		owner  uuid.UUID
		action identity.Action
		want   bool
	}{
		{visitor, own, open, true}, {visitor, own, read, true}, {visitor, own, write, true}, {visitor, own, contact, false},
		{visitor, other, open, false}, {visitor, other, read, false}, {visitor, other, write, false},
		{visitor, other, contact, false},
		{agent, own, open, false}, {agent, own, read, true}, {agent, own, write, true}, {agent, own, contact, true},
		{identity.Principal{}, uuid.Nil, read, false}, {identity.Principal{ID: own}, own, read, false},
	}
	for _, test := range tests {
		if got := test.who.May(test.action, test.owner); got != test.want {
			t.Errorf("%q may %d: %v", test.who.Kind, test.action, got)
		}
	}
}

func TestAccountsAreFoundByAnySpellingOfTheirAddress(t *testing.T) {
	db := storetest.New(t)
	people, err := identity.NewService(db.Open(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	invite := func(email, name string) redacted.String {
		token, err := people.Invite(ctx, redacted.New(email), redacted.New(name))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	old := invite("Grace@Example.org", "Grace")
	newer := invite(" grace@example.ORG ", "Grace Hopper")
	password := redacted.New("correct horse battery")
	if _, err := people.Redeem(ctx, old, password); !errors.Is(err, identity.ErrUnauthenticated) {
		t.Errorf("an invitation that was replaced: %v", err)
	}
	redeemed, err := people.Redeem(ctx, newer, password)
	if err != nil {
		t.Fatal(err)
	}
	p, cookie, err := people.SignIn(ctx, redacted.New("GRACE@example.org"), password)
	if err != nil || p.ID != redeemed.Agent.ID || p.DisplayName.Reveal() != "Grace Hopper" {
		t.Errorf("sign in: %v, %v", p.ID, err)
	}
	if _, err := people.Agent(ctx, cookie); err != nil {
		t.Errorf("the cookie: %v", err)
	}
	if err := people.SignOut(ctx, p); err != nil {
		t.Fatal(err)
	}
	if _, err := people.Agent(ctx, cookie); !errors.Is(err, identity.ErrUnauthenticated) {
		t.Errorf("the cookie after signing out: %v", err)
	}
	if _, err := people.Agent(ctx, redeemed.Cookie); err != nil {
		t.Errorf("the other session: %v", err)
	}
}
