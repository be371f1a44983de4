// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"context"
	"net/http"
	"testing"
	"time"
)

// operatorActor is an operator that stops before every request to the API server until it is told to go on. What it
// reads from its cache it reads at once.
type operatorActor struct {
	*process

	resume chan bool
	paused chan string
	// midway means that a pass is under way; next is the request before which it stopped.
	midway bool
	next   string
}

// passed is what a step answers that ended a pass.
const passed = "end of a pass"

func startActor(t *testing.T, l *lane, lag int) *operatorActor {
	t.Helper()
	o := &operatorActor{
		process: startProcess(t, l.log, l.tenant, lag), resume: make(chan bool), paused: make(chan string),
	}
	o.wire.next = gate{o.wire.next, o}
	return o
}

// gate stops an operator before each of its requests.
type gate struct {
	next  http.RoundTripper
	actor *operatorActor
}

// RoundTrip implements http.RoundTripper.
func (g gate) RoundTrip(r *http.Request) (*http.Response, error) {
	g.actor.paused <- r.Method + " " + r.URL.Path
	if !<-g.actor.resume {
		return nil, errKilled
	}
	return g.next.RoundTrip(r)
}

// step lets the operator send one request, or begin a pass, or end one. It answers what that was, and whether there was
// anything to do.
func (o *operatorActor) step() (string, bool) {
	sent := o.next
	if o.midway {
		o.resume <- true
	} else {
		if !o.view.takeWake() && !o.again {
			return "", false
		}
		o.midway, sent = true, "begins a pass"
		go o.pass()
	}
	o.await()
	if !o.midway && sent == "begins a pass" {
		return passed, true
	}
	return sent, true
}

func (o *operatorActor) pass() {
	if o.again {
		time.Sleep(2 * time.Millisecond) // the authoriser learns of new rights by watching
	}
	result, err := o.reconciler.Reconcile(context.Background(), request(o.tenant))
	o.again = err != nil || result.RequeueAfter > 0
	o.paused <- ""
}

// await waits until the operator stops before its next request, or its pass is over.
func (o *operatorActor) await() {
	o.next = <-o.paused
	o.midway = o.next != ""
}

// wake makes the operator look at the tenant once more.
func (o *operatorActor) wake() { o.again = true }

// die ends the operator where it is. What it had not sent is never sent.
func (o *operatorActor) die(t *testing.T) {
	t.Helper()
	for o.midway {
		o.resume <- false
		o.await()
	}
	o.end(t)
}
