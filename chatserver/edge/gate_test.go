// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"net"
	"testing"
	"time"
)

// arrival is a newcomer with its client.
type arrival struct {
	*newcomer
	client net.Conn
	// read is told of each Read that returned.
	read chan error
}

func arrive(t *testing.T, g gate) *arrival {
	t.Helper()
	server, client := net.Pipe()
	a := &arrival{newcomer: &newcomer{shallow: shallow{Conn: server}, gate: g}, client: client, read: make(chan error, 1)}
	t.Cleanup(func() { _, _ = a.Close(), client.Close() })
	return a
}

// hear has a newcomer read what its client says.
func (a *arrival) hear(t *testing.T) {
	t.Helper()
	go func() {
		_, err := a.Read(make([]byte, 1))
		a.read <- err
	}()
	if _, err := a.client.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
}

func (a *arrival) isComputing(within time.Duration) bool {
	select {
	case err := <-a.read:
		return err == nil || a.left.Load()
	case <-time.After(within):
		return false
	}
}

const (
	aMoment = 50 * time.Millisecond
	surely  = 30 * time.Second
)

func TestOneNewcomerComputesAtATimeAndTheOthersFollow(t *testing.T) {
	goOn := map[string]func(*arrival){
		"it reads again":      func(a *arrival) { go func() { _, _ = a.Read(make([]byte, 1)) }() },
		"it is in":            func(a *arrival) { a.through.Store(true); a.giveWay() },
		"its connection ends": func(a *arrival) { _ = a.Close() },
	}
	for name, done := range goOn {
		t.Run("when "+name, func(t *testing.T) {
			g := newGate(2)
			first, second := arrive(t, g), arrive(t, g)
			if first.hear(t); !first.isComputing(surely) {
				t.Fatal("the gate is closed to the first")
			}
			if second.hear(t); second.isComputing(aMoment) {
				t.Error("two compute at once")
			}
			if done(first); !second.isComputing(surely) {
				t.Error("the second never had its turn")
			}
		})
	}
}

func TestOneWhoIsClosedWhileWaitingAtTheGateDoesNotKeepAPlace(t *testing.T) {
	g := newGate(1)
	g.enter()
	waiting := arrive(t, g)
	waiting.hear(t)
	if err := waiting.Close(); err != nil {
		t.Fatal(err)
	}
	g.leave()
	if !waiting.isComputing(surely) {
		t.Fatal("it still waits")
	}
	passed := make(chan struct{})
	go func() { defer close(passed); g.pass() }()
	select {
	case <-passed:
	case <-time.After(surely):
		t.Error("its place stayed taken")
	}
}
