// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/chattenant/chattenant/chatserver/conversation"
	"github.com/chattenant/chattenant/chatserver/edge"
	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
)

// FuzzTheProtocol has four participants, two of them the same visitor, one an agent and one another visitor, do what
// the input says with a whole server on a database in memory: say hello or not, send frames that are right, wrong or no
// frames at all, leave, come back with cursors that fit or do not, while time passes, commits fail and earlier states
// are restored. Whatever they do, nobody is told what contradicts what anybody else was told or what is stored,
// or that is not theirs to know; who stays is told everything; everything is answered once, what ends says why, and
// nothing stays behind.
func FuzzTheProtocol(f *testing.F) {
	for _, seed := range []string{
		"",
		"\x00\x00\x01\x00\x03\x00\x04\x00\x01hello\x04\x00\x01again",
		"\x00\x00\x01\x00\x03\x00\x00\x02\x01\x02\x04\x00\x01\x05\x00\x06\x02\x00\x07\x00\x00" +
			"\x0f\x00\x04\x00\x01\x0d\x00\x00\x00\x02\x00",
		"\x00\x00\x04\x00\x00\x00\x01\x01\x01\x00\x00\x01\x0b\x01\x04nope\x00\x02\x0c\x02",
		"\x00\x00\x01\x00\x03\x00\x10\x02\x04\x00\x01\x04\x00\x00\x05\x00\x0e\x0f\x08\x00\x09\x00\x0a\x00\x0e\x30\x01\x00",
		"\x00\x00\x01\x00\x03\x00\x00\x03\x01\x03\x03\x03\x04\x00\x01a\x04\x03\x01b\x04\x03\x02c\x04\x00\x02d",
		"\x00\x01\x02\x01\x03\x01\x0f\x01\x04\x01\x02\x0d\x01\x00\x01\x02\x01\x04\x01\x02\x0f\x00\x0d\x01\x00\x01\x02\x01",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		before := runtime.NumGoroutine()
		for _, fault := range perform(t, input, honest) {
			t.Error(fault)
		}
		expectGoroutines(t, before)
	})
}

// perform has the participants do what the input says and returns what was wrong.
func perform(t *testing.T, input []byte, breaking func(*memory) conversation.Store) []string {
	t.Helper()
	s := newStage(t, breaking)
	for script := (script{input}); len(script.rest) > 0 && s.steps < mostSteps; s.steps++ {
		s.act(&script)
	}
	s.end()
	s.record.audit(s.db)
	return s.record.faults
}

func honest(m *memory) conversation.Store { return m }

// mostSteps bounds one run.
const mostSteps = 200

func expectGoroutines(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if runtime.NumGoroutine() <= before {
			return
		}
	}
	stacks := make([]byte, 1<<20)
	t.Fatalf("goroutines stay behind:\n%s", stacks[:runtime.Stack(stacks, true)])
}

// script is the rest of the input.
type script struct{ rest []byte }

func (s *script) next() int {
	if len(s.rest) == 0 {
		return 0
	}
	b := s.rest[0]
	s.rest = s.rest[1:]
	return int(b)
}

func (s *script) take(n int) []byte {
	n = min(n, len(s.rest))
	data := s.rest[:n]
	s.rest = s.rest[n:]
	return data
}

// stage is a server with its participants.
type stage struct {
	t      *testing.T
	clock  *clocktesting.FakeClock
	db     *memory
	server *edge.Server
	record *record
	steps  int
	// sockets are the present ones, cursors what each participant may come back with, said what it sent last.
	sockets [participants]*socketState
	cursors [participants]map[uuid.UUID]protocol.Cursor
	said    [participants]*protocol.Send

	listener *pipes
	web      *http.Server
	stop     context.CancelFunc
	stopped  chan struct{}
}

const participants = 4

func newStage(t *testing.T, breaking func(*memory) conversation.Store) *stage {
	t.Helper()
	t.Helper()
	s := &stage{
		t: t, clock: clocktesting.NewFakeClock(time.Now()), db: newMemory(), record: newRecord(),
		listener: newPipes(), stopped: make(chan struct{}),
	}
	quiet := slog.New(slog.DiscardHandler)
	engine, err := conversation.New(t.Context(), conversation.Config{
		Store: breaking(s.db), Clock: s.clock, Logger: quiet, Metrics: conversation.NewMetrics(prometheus.NewRegistry()),
		PollInterval: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.server = edge.NewServer(edge.Config{
		Host: servertest.Host, Identity: newCast(s.clock.Now().Add(time.Hour)), Engine: engine,
		Site: http.NotFoundHandler(), Trust: http.NotFoundHandler(),
		Limits: servertest.Generous(), Timing: servertest.Patient(), Clock: s.clock,
		Logger: quiet, Metrics: edge.NewMetrics(prometheus.NewRegistry()),
	})
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() { defer close(s.stopped); engine.Run(ctx) }()
	s.web = &http.Server{Handler: s.server.Handler(), ReadHeaderTimeout: patience}
	go func() { _ = s.web.Serve(s.listener) }()
	return s
}

// act does the next thing the script says.
func (s *stage) act(script *script) {
	op := script.next()
	switch op % 17 {
	case 14:
		s.clock.Step(time.Duration(script.next()) * 250 * time.Millisecond)
		return
	case 15:
		s.db.restore(script.next())
		return
	case 16:
		s.db.fail(script.next() % 3)
		return
	}
	who := script.next() % participants
	if op%17 == 0 {
		s.connect(who)
		return
	}
	if c := s.sockets[who]; c != nil {
		s.say(who, c, op%17, script)
	}
}

// say has a participant use its socket.
func (s *stage) say(who int, c *socketState, op int, script *script) {
	switch op {
	case 1:
		s.hello(who, c, nil)
	case 2:
		s.hello(who, c, s.cursors[who])
	case 3:
		id := uuid.New()
		s.send(c, id, &protocol.Open{ClientID: id})
		c.waitUntil("opened", c.idle)
	case 4:
		s.said[who] = &protocol.Send{
			Conversation: s.conversation(script), ClientID: uuid.New(),
			Body: protocol.NewText(string(rune('a' + script.next()%26))),
		}
		s.send(c, s.said[who].ClientID, s.said[who])
	case 5:
		if again := s.said[who]; again != nil {
			s.send(c, again.ClientID, again)
		}
	case 6, 7:
		s.change(c, op == 6, script)
	case 8:
		s.send(c, uuid.Nil, &protocol.Typing{Conversation: s.conversation(script), Typing: true})
	case 9:
		read := int64(script.next()) - 3
		s.send(c, uuid.Nil, &protocol.Receipt{Conversation: s.conversation(script), Delivered: read + 1, Read: read})
	case 10:
		s.send(c, uuid.Nil, &protocol.Ping{})
	case 11:
		s.blurt(c, script.take(script.next()))
	case 12:
		s.write(c, websocket.BinaryMessage, script.take(script.next()))
	case 13:
		s.leave(who)
	}
}

// blurt sends bytes, which may happen to be a frame. A hello is sent properly or not at all.
func (s *stage) blurt(c *socketState, data []byte) {
	frame, _ := protocol.DecodeClient(data)
	switch f := frame.(type) {
	case *protocol.Hello:
		return
	case *protocol.Open:
		c.ask(f.ClientID)
	case protocol.Submission:
		c.ask(f.Entry().ClientID)
	}
	s.write(c, websocket.TextMessage, data)
}

// conversation is one that was opened, or none.
func (s *stage) conversation(script *script) uuid.UUID { return s.pick(s.record.conversations, script) }

func (s *stage) pick(list []uuid.UUID, script *script) uuid.UUID {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	i := script.next()
	if len(list) == 0 || i == 0 {
		return uuid.Max
	}
	return list[i%len(list)]
}

func (s *stage) change(c *socketState, edit bool, script *script) {
	id, in, target := uuid.New(), s.conversation(script), s.pick(s.record.messages, script)
	if edit {
		s.send(c, id, &protocol.Edit{Conversation: in, ClientID: id, Target: target, Body: protocol.NewText("edited")})
		return
	}
	s.send(c, id, &protocol.Delete{Conversation: in, ClientID: id, Target: target})
}

// hello waits for the answer, so that most of what follows is said on a socket that is open.
func (s *stage) hello(who int, c *socketState, cursors map[uuid.UUID]protocol.Cursor) {
	hello := &protocol.Hello{Protocol: protocol.Version, Cursors: cursors}
	switch who {
	case 0, 1:
		hello.Token = protocol.NewText(visitorToken)
	case 3:
		hello.Token = protocol.NewText(strangerToken)
	}
	if c.claimed == nil {
		c.claimed = map[uuid.UUID]protocol.Cursor{}
		for id, cursor := range cursors {
			c.claimed[id] = cursor
		}
		close(c.begun)
	}
	s.send(c, uuid.Nil, hello)
	c.waitUntil("welcome", c.greeted)
}

func (s *stage) send(c *socketState, clientID uuid.UUID, frame protocol.Frame) {
	data, err := protocol.Encode(frame)
	if err != nil {
		s.t.Fatal(err)
	}
	if clientID != uuid.Nil {
		c.ask(clientID)
	}
	s.write(c, websocket.TextMessage, data)
}

// write may fail: the server has the right to end a socket at any time.
func (s *stage) write(c *socketState, kind int, data []byte) {
	_ = c.conn.SetWriteDeadline(time.Now().Add(patience))
	if err := c.conn.WriteMessage(kind, data); isTimeout(err) {
		s.record.fault("%s: the server does not read", c.name)
	}
}

// connect opens a socket in the place of the one there was.
func (s *stage) connect(who int) {
	s.leave(who)
	dialer := websocket.Dialer{NetDialContext: s.listener.dial, Subprotocols: []string{protocol.Subprotocol}}
	header := http.Header{"Origin": {servertest.Endpoint}, "Cookie": {"__Host-session=" + agentCookie}}
	address := "ws://" + servertest.Host + ":" + servertest.Port + "/api/v1/ws"
	conn, response, err := dialer.DialContext(s.t.Context(), address, header)
	if err != nil {
		s.t.Fatalf("handshake: %v", err)
	}
	_ = response.Body.Close()
	s.sockets[who] = newSocketState(s.record, fmt.Sprintf("participant %d", who), conn)
	go s.sockets[who].read()
}

// leave closes a socket and keeps its cursors.
func (s *stage) leave(who int) {
	if c := s.sockets[who]; c != nil {
		_ = c.conn.Close()
		<-c.ended
		s.cursors[who] = c.cursors()
		s.sockets[who] = nil
	}
}

// end waits until everything is answered and read, then ends everything.
func (s *stage) end() {
	for who, c := range s.sockets {
		if c != nil && c.greeted() {
			c.waitUntil("its answers", c.idle)
			c.waitUntil("the events it may read", func() bool { return c.hasRead(s.db) })
		}
		s.leave(who)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.server.Drain(ctx, time.Millisecond)
	if ctx.Err() != nil {
		s.record.fault("sockets do not end")
	}
	s.stop()
	<-s.stopped
	_ = s.web.Close()
}

const (
	visitorToken  = "visitor"
	strangerToken = "stranger"
	agentCookie   = "agent"
)

// cast knows two visitors and an agent.
type cast struct {
	edge.Identity
	visitor, stranger, agent identity.Principal
}

func newCast(expires time.Time) *cast {
	return &cast{
		visitor:  identity.Principal{Kind: protocol.Visitor, ID: uuid.New(), ExpiresAt: expires},
		stranger: identity.Principal{Kind: protocol.Visitor, ID: uuid.New(), ExpiresAt: expires},
		agent:    identity.Principal{Kind: protocol.Agent, ID: uuid.New(), Session: uuid.New(), ExpiresAt: expires},
	}
}

func (c *cast) Visitor(_ context.Context, token redacted.String) (identity.Principal, error) {
	if token.Reveal() == strangerToken {
		return c.stranger, nil
	}
	return c.visitor, nil
}

func (c *cast) Agent(context.Context, redacted.String) (identity.Principal, error) {
	return c.agent, nil
}

// pipes is a listener whose connections never leave the process.
type pipes struct {
	conns  chan net.Conn
	closed context.Context
	close  context.CancelFunc
}

func newPipes() *pipes {
	p := &pipes{conns: make(chan net.Conn)}
	p.closed, p.close = context.WithCancel(context.Background())
	return p
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipes) Close() error { p.close(); return nil }

// Addr implements net.Listener.
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }
