// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"os"
	"testing"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/client"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

func TestAVisitorAndAnAgentTalkThroughTwoReplicas(t *testing.T) {
	servertest.OverEach(t, aVisitorAndAnAgentTalkThroughTwoReplicas)
}

func aVisitorAndAnAgentTalkThroughTwoReplicas(t *testing.T, over client.Transport) {
	t.Helper()
	db := storetest.New(t)
	one, two := servertest.Start(t, db), servertest.Start(t, db)
	servertest.NewAgent(t, db, "grace@example.org", "Grace")
	ctx := t.Context()
	visitorClient := servertest.ClientOver(t, over, one, func() *servertest.Replica { return one })
	agentClient := servertest.ClientOver(t, over, two, func() *servertest.Replica { return two })
	visitor, err := visitorClient.NewVisitor(ctx)
	if err != nil {
		t.Fatal(err)
	}
	agent, err := agentClient.SignIn(ctx, redacted.New("Grace@example.org "), redacted.New(servertest.Password))
	if err != nil {
		t.Fatal(err)
	}
	v, a := servertest.Attend(t, visitorClient, visitor), servertest.Attend(t, agentClient, agent)
	opened, err := v.Open(ctx, &protocol.Contact{Name: protocol.NewText("Ada")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Send(ctx, opened.Conversation, "hello"); err != nil {
		t.Fatal(err)
	}
	a.WaitFor(t, opened.Conversation, 1)
	if _, err := a.Send(ctx, opened.Conversation, "good day"); err != nil {
		t.Fatal(err)
	}
	for who, s := range map[string]*servertest.Attendance{"visitor": v, "agent": a} {
		events := s.WaitFor(t, opened.Conversation, 2)
		if got := events[0].Body.Reveal() + "|" + events[1].Body.Reveal(); got != "hello|good day" {
			t.Errorf("%s reads %q", who, got)
		}
	}
	changeOfMind(t, v, a, opened.Conversation)
	if got := a.Contact(opened.Conversation); got == nil || got.Name.Reveal() != "Ada" {
		t.Error("the agent does not see the contact")
	}
	if v.Contact(opened.Conversation) != nil {
		t.Error("the visitor is sent a contact")
	}
}

// changeOfMind has the visitor correct their first message and then take it back, which the agent sees on the other
// replica.
func changeOfMind(t *testing.T, visitor, agent *servertest.Attendance, conversation uuid.UUID) {
	t.Helper()
	first := visitor.WaitFor(t, conversation, 1)[0].ID
	if _, err := visitor.Edit(t.Context(), conversation, first, "hello there"); err != nil {
		t.Fatal(err)
	}
	if _, err := visitor.Delete(t.Context(), conversation, first); err != nil {
		t.Fatal(err)
	}
	events := agent.WaitFor(t, conversation, 4)[2:]
	if events[0].Kind != protocol.KindEdit || events[1].Kind != protocol.KindDeletion || *events[1].Target != first {
		t.Errorf("the agent sees %s and %s", events[0].Kind, events[1].Kind)
	}
}
