// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"sigs.k8s.io/yaml"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
	"github.com/chattenant/chattenant/test/loopback"
)

// asProgram makes the test binary run as the program itself, so that it can be killed.
const asProgram = "CHATTENANT_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(storetest.Main(m))
}

// launch starts the program on a configuration file.
func launch(t *testing.T, file string) *exec.Cmd {
	t.Helper()
	//nolint:gosec,noctx // This very binary, killed by the test.
	cmd := exec.Command(os.Args[0], "serve", "--config", file)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(cmd) })
	return cmd
}

func kill(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// transcript is what a visitor was promised: their messages by place.
type transcript struct {
	v            *servertest.Attendance
	conversation uuid.UUID
	acks         []*protocol.Ack
}

// TestKillingTheServerLosesNoAcknowledgedMessage kills the process again and again while visitors talk.
func TestKillingTheServerLosesNoAcknowledgedMessage(t *testing.T) {
	const visitors, kills, between = 4, 3, 10
	db := storetest.New(t)
	ca := certtest.NewCA(t)
	r, file := replicaOf(t, db, ca)
	running := launch(t, file)
	r.WaitReady(t)
	c := r.Client(t)
	talks := make([]transcript, visitors)
	for i := range talks {
		who, err := c.NewVisitor(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		v := servertest.Attend(t, c, who)
		opened, err := v.Open(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		talks[i] = transcript{v: v, conversation: opened.Conversation}
	}
	for range kills {
		var wg sync.WaitGroup
		for i := range talks {
			wg.Go(func() { talks[i].say(t, between) })
		}
		time.Sleep(30 * time.Millisecond)
		kill(running)
		running = launch(t, file)
		wg.Wait()
	}
	for i := range talks {
		talks[i].check(t)
	}
}

// replicaOf is a replica that runs as a process of its own.
func replicaOf(t *testing.T, db *storetest.Database, ca *certtest.CA) (r *servertest.Replica, file string) {
	t.Helper()
	file, config := writeConfig(t, db, ca)
	config.Listen = serverconfig.Listen{Public: loopback.Address(t), Health: loopback.Address(t)}
	data, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return &servertest.Replica{
		Config: config, Public: config.Listen.Public, Health: config.Listen.Health, Roots: ca.Pool(),
		Log: &servertest.LogBuffer{},
	}, file
}

func (tr *transcript) say(t *testing.T, messages int) {
	t.Helper()
	for range messages {
		ack, err := tr.v.Send(t.Context(), tr.conversation, fmt.Sprint(len(tr.acks)+1))
		if err != nil {
			t.Error(err)
			return
		}
		tr.acks = append(tr.acks, ack)
	}
}

// check finds every acknowledged message once, at its place, in the order it was said.
func (tr *transcript) check(t *testing.T) {
	t.Helper()
	events := tr.v.WaitFor(t, tr.conversation, len(tr.acks))
	if len(events) != len(tr.acks) {
		t.Errorf("%d events for %d acknowledged messages", len(events), len(tr.acks))
		return
	}
	for i, event := range events {
		if ack := tr.acks[i]; event.ID != ack.ID || event.Seq != ack.Seq || event.Body.Reveal() != fmt.Sprint(i+1) {
			t.Errorf("event %d is %s, acknowledged was %s at %d", event.Seq, event.ID, ack.ID, ack.Seq)
		}
	}
}
