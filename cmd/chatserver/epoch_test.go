// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"
	"strings"
	"testing"

	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

func TestRaiseEpochResetsClientsOfARunningServer(t *testing.T) {
	db := storetest.New(t)
	file, _ := writeConfig(t, db, certtest.NewCA(t))
	c := servertest.Start(t, db).Client(t)
	who, err := c.NewVisitor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v := servertest.Attend(t, c, who)
	opened, err := v.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ack, err := v.Send(t.Context(), opened.Conversation, "hello")
	if err != nil {
		t.Fatal(err)
	}
	v.WaitFor(t, opened.Conversation, 1)
	out, err := run(t, "", "raise-epoch", "--config", file)
	if err != nil {
		t.Fatal(err)
	}
	epoch, err := strconv.ParseInt(strings.TrimSpace(out), 10, 64)
	if err != nil || epoch <= ack.Epoch {
		t.Fatalf("raised from %d to %q, %v", ack.Epoch, out, err)
	}
	v.WaitReset(t, opened.Conversation)
	if events := v.WaitFor(t, opened.Conversation, 1); events[0].Epoch != epoch || events[0].ID != ack.ID {
		t.Errorf("after the reset came %+v", events[0])
	}
}
