// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"github.com/chattenant/chattenant/chatserver/client"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
)

const patience = time.Minute

// script plays the server on one connection after another; the last one is repeated.
type script []func(s *side)

// side is the server's end of a WebSocket.
type side struct {
	*websocket.Conn
	t *testing.T
}

func (s *side) say(f protocol.Frame) {
	s.t.Helper()
	data, err := protocol.Encode(f)
	if err != nil {
		s.t.Error(err)
	}
	_ = s.WriteMessage(websocket.TextMessage, data)
}

// hear returns the client's next frame, nil when it is gone.
func (s *side) hear() protocol.Frame {
	s.t.Helper()
	_ = s.SetReadDeadline(time.Now().Add(patience))
	_, data, err := s.ReadMessage()
	if err != nil {
		return nil
	}
	frame, err := protocol.DecodeClient(data)
	if err != nil {
		s.t.Errorf("the client sent %s: %v", data, err)
	}
	return frame
}

// greet hears hello and answers with welcome.
func (s *side) greet() *protocol.Hello {
	s.t.Helper()
	hello, ok := s.hear().(*protocol.Hello)
	if !ok {
		s.t.Error("the first frame is not hello")
		return &protocol.Hello{}
	}
	s.say(&protocol.Welcome{Protocol: 1, Epoch: 1, HeartbeatSeconds: 15})
	return hello
}

// untilGone reads until the client leaves.
func (s *side) untilGone() {
	s.t.Helper()
	for s.hear() != nil {
	}
}

// serve runs a script behind TLS and returns a client for it.
func serve(t *testing.T, plays script) *client.Client {
	t.Helper()
	var connections atomic.Int64
	upgrader := websocket.Upgrader{Subprotocols: []string{protocol.Subprotocol}}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") != "https://acme.localhost:8443" || r.Host != "acme.localhost:8443" {
			t.Errorf("origin %q for host %q", r.Header.Get("Origin"), r.Host)
		}
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		i := min(int(connections.Add(1)), len(plays)) - 1
		plays[i](&side{conn, t})
	}))
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	c, err := client.New(client.Config{
		Endpoint: "https://acme.localhost:8443",
		TLS:      &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12},
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// run keeps a session until the test ends.
func run(t *testing.T, s *client.Session) <-chan error {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended, done := make(chan error, 1), make(chan struct{})
	go func() { defer close(done); ended <- s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return ended
}

func visitor() client.Credentials {
	return client.VisitorCredentials(uuid.New(), redacted.New("token"))
}

func event(c uuid.UUID, seq int64) *protocol.Event {
	return &protocol.Event{Conversation: c, Epoch: 1, Seq: seq, ID: uuid.New(), Kind: protocol.KindMessage}
}

func TestAMessageWithoutAnAckIsSentAgainUnderTheSameClientID(t *testing.T) {
	var first uuid.UUID
	s := serve(t, script{
		func(s *side) {
			s.greet()
			if send, ok := s.hear().(*protocol.Send); ok {
				first = send.ClientID
			}
		},
		func(s *side) {
			s.greet()
			send, ok := s.hear().(*protocol.Send)
			if !ok || send.ClientID != first || send.Body.Reveal() != "hello" {
				t.Errorf("resent %+v, first was %s", send, first)
				return
			}
			s.say(&protocol.Ack{ClientID: send.ClientID, Conversation: send.Conversation, Epoch: 1, Seq: 7})
			s.untilGone()
		},
	}).NewSession(visitor(), client.Observer{})
	run(t, s)
	ack, err := s.Send(t.Context(), uuid.New(), "hello")
	if err != nil || ack.Seq != 7 {
		t.Errorf("Send = %+v, %v", ack, err)
	}
}

func TestEventsAreHandedOverOnceAndAGapMeansAnotherConnection(t *testing.T) {
	c := uuid.New()
	s := serve(t, script{
		func(s *side) {
			if hello := s.greet(); len(hello.Cursors) != 0 {
				t.Errorf("the first hello has cursors %v", hello.Cursors)
			}
			for _, seq := range []int64{1, 2, 2, 1, 4} {
				s.say(event(c, seq))
			}
			s.untilGone()
		},
		func(s *side) {
			if hello := s.greet(); hello.Cursors[c] != (protocol.Cursor{Epoch: 1, Seq: 2}) {
				t.Errorf("the second hello has cursors %v", hello.Cursors)
			}
			for _, seq := range []int64{2, 3, 4} {
				s.say(event(c, seq))
			}
			s.untilGone()
		},
	})
	seen := make(chan int64, 10)
	run(t, s.NewSession(visitor(), client.Observer{Event: func(e *protocol.Event) { seen <- e.Seq }}))
	for want := int64(1); want <= 4; want++ {
		if got := receive(t, seen); got != want {
			t.Fatalf("event %d came where %d was due", got, want)
		}
	}
}

func TestAResetStartsAConversationAnew(t *testing.T) {
	c := uuid.New()
	s := serve(t, script{func(s *side) {
		s.greet()
		s.say(event(c, 1))
		s.say(&protocol.Reset{Conversation: c, Epoch: 2})
		s.say(event(c, 1))
		s.untilGone()
	}})
	seen := make(chan int64, 4)
	run(t, s.NewSession(visitor(), client.Observer{
		Event: func(e *protocol.Event) { seen <- e.Seq }, Reset: func(*protocol.Reset) { seen <- 0 },
	}))
	for _, want := range []int64{1, 0, 1} {
		if got := receive(t, seen); got != want {
			t.Fatalf("%d came where %d was due", got, want)
		}
	}
}

func TestAHeadThatStaysOutOfReachMeansAnotherConnection(t *testing.T) {
	c := uuid.New()
	again := make(chan int64, 1)
	s := serve(t, script{
		func(s *side) {
			s.greet()
			s.say(event(c, 1))
			s.say(&protocol.Heartbeat{Heads: map[uuid.UUID]int64{c: 2}})
			s.untilGone()
		},
		func(s *side) {
			again <- s.greet().Cursors[c].Seq
			s.untilGone()
		},
	})
	start := time.Now()
	run(t, s.NewSession(visitor(), client.Observer{}))
	if seq := receive(t, again); seq != 1 {
		t.Errorf("resumed at %d", seq)
	}
	if took := time.Since(start); took < 4*time.Second {
		t.Errorf("gave the event only %v", took)
	}
}

func TestARefusalIsRetriedWhenItMayPassAndReturnedWhenItMayNot(t *testing.T) {
	s := serve(t, script{func(s *side) {
		s.greet()
		for attempt := 0; ; attempt++ {
			send, ok := s.hear().(*protocol.Send)
			if !ok {
				return
			}
			answer := &protocol.Error{Code: protocol.Unavailable, ClientID: &send.ClientID, RetryAfterMs: 10}
			if attempt > 0 {
				answer = &protocol.Error{Code: protocol.NotFound, Message: "no such conversation", ClientID: &send.ClientID}
			}
			s.say(answer)
		}
	}}).NewSession(visitor(), client.Observer{})
	run(t, s)
	_, err := s.Send(t.Context(), uuid.New(), "hello")
	var refusal *client.Error
	if !errors.As(err, &refusal) || refusal.Code != protocol.NotFound {
		t.Errorf("Send = %v", err)
	}
}

func TestCredentialsThatAreRefusedEndTheSession(t *testing.T) {
	s := serve(t, script{func(s *side) {
		s.hear()
		s.say(&protocol.Error{Code: protocol.Unauthenticated, Message: "the session has ended"})
	}}).NewSession(visitor(), client.Observer{})
	ended := run(t, s)
	sent := make(chan error, 1)
	go func() {
		_, err := s.Send(context.Background(), uuid.New(), "hello")
		sent <- err
	}()
	var refusal *client.Error
	if err := receive(t, ended); !errors.As(err, &refusal) || refusal.Code != protocol.Unauthenticated {
		t.Errorf("Run = %v", err)
	}
	if err := receive(t, sent); !errors.As(err, &refusal) {
		t.Errorf("Send = %v", err)
	}
}

func TestADrainingServerIsLeftWhenItAsks(t *testing.T) {
	drained := make(chan time.Duration, 1)
	s := serve(t, script{
		func(s *side) {
			s.greet()
			start := time.Now()
			s.say(&protocol.Drain{ReconnectAfterMs: 300})
			s.untilGone()
			drained <- time.Since(start)
		},
		func(s *side) {
			s.greet()
			s.untilGone()
		},
	})
	welcomes := make(chan struct{}, 2)
	run(t, s.NewSession(visitor(), client.Observer{Welcome: func(*protocol.Welcome) { welcomes <- struct{}{} }}))
	receive(t, welcomes)
	receive(t, welcomes)
	// The server may see the client go only after it has come back.
	if took := receive(t, drained); took < 250*time.Millisecond {
		t.Errorf("left after %v", took)
	}
}

func TestEndpointsMustBePlainHTTPSOrigins(t *testing.T) {
	for _, endpoint := range []string{
		"", "acme.localhost", "http://acme.localhost", "https://acme.localhost/", "https://a@b", "https://a?b",
	} {
		if _, err := client.New(client.Config{Endpoint: endpoint}); err == nil {
			t.Errorf("%q is taken", endpoint)
		}
	}
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(patience):
		t.Fatalf("waited %v in vain", patience)
	}
	var none T
	return none
}
