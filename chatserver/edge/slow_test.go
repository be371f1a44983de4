// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/client"
	"github.com/chattenant/chattenant/chatserver/edge"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// slowDial connects with a receive buffer so small that the server soon notices a client that does not read.
func slowDial(r *servertest.Replica) client.DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := r.Dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			err = tcp.SetReadBuffer(64 << 10)
		}
		return conn, err
	}
}

func TestASlowReaderIsClosedAndResumesWithEverything(t *testing.T) {
	overEach(t, aSlowReaderIsClosedAndResumesWithEverything)
}

func aSlowReaderIsClosedAndResumesWithEverything(t *testing.T, over carrier) {
	t.Helper()
	timing := servertest.Patient()
	timing.Write = 2 * time.Second
	r := servertest.Start(t, storetest.New(t), servertest.WithTiming(timing))
	token := newVisitor(t, r)
	sender := over.to(t, r)
	greet(sender, token)
	sender.say(`{"type":"open","clientId":"` + uuid.NewString() + `"}`)
	conversation := nextOf[*protocol.Opened](sender).Conversation

	slow := over.connect(t, r, slowDial(r), nil)
	greet(slow, token)

	const messages = 60
	body := strings.Repeat("\U0001F600", 3900)
	for range messages {
		sender.say(sendFrame(t, conversation.String(), uuid.NewString(), body))
		hearOwnWord(sender)
	}
	// The slow client wakes up and finds its connection ended somewhere in the middle. It comes back with its cursor,
	// as often as it takes.
	waitForMetric(t, r, `chattenant_`+over.counted+`_closed_total{reason="slow_reader"} 1`)
	reading := &follower{conversation: conversation}
	if reading.follow(t, slow); reading.last == messages {
		t.Fatal("the slow reader got everything at once: it was never slow")
	}
	for attempt := 0; reading.last < messages && attempt < 10; attempt++ {
		resumed := over.to(t, r)
		resumed.say(reading.hello(token))
		reading.follow(t, resumed)
	}
	if reading.last != messages {
		t.Errorf("the reader ends at event %d of %d", reading.last, messages)
	}
}

// hearOwnWord reads a message's acknowledgement and its event, in whichever order: who leaves events unread becomes a
// slow reader too.
func hearOwnWord(w peer) {
	w.test().Helper()
	for acked, heard := false, false; !acked || !heard; {
		switch next(w).(type) {
		case *protocol.Ack:
			acked = true
		case *protocol.Event:
			heard = true
		}
	}
}

// follower reads a conversation over several connections.
type follower struct {
	conversation uuid.UUID
	epoch, last  int64
}

func (f *follower) hello(token string) string {
	hello := `{"type":"hello","protocol":1,"token":"` + token + `"`
	if f.last > 0 {
		hello += cursors(f.conversation.String(), f.epoch, f.last)
	}
	return hello + `}`
}

// follow reads until the connection ends or everything was sent, and refuses gaps.
func (f *follower) follow(t *testing.T, w peer) {
	t.Helper()
	for {
		frame, err := w.read()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *protocol.Event:
			if frame.Seq != f.last+1 {
				t.Fatalf("event %d follows event %d", frame.Seq, f.last)
			}
			f.epoch, f.last = frame.Epoch, frame.Seq
		case *protocol.CaughtUp:
			if frame.Seq > 0 {
				return
			}
		}
	}
}

func TestAPeerThatAnswersNothingIsDisconnected(t *testing.T) {
	timing := servertest.Patient()
	timing.Heartbeat, timing.Silence = 200*time.Millisecond, 4*time.Second
	r := servertest.Start(t, storetest.New(t), servertest.WithTiming(timing))
	token := newVisitor(t, r)
	quiet, lively := connect(t, r), connect(t, r)
	quiet.SetPingHandler(func(string) error { return nil })
	for _, w := range []*wire{quiet, lively} {
		greet(w, token)
	}
	ended := make(chan error, 1)
	go func() {
		for {
			if _, err := quiet.read(); err != nil {
				ended <- err
				return
			}
		}
	}()
	// The other one answers pings by reading, and stays beyond the end of the quiet one.
	for {
		nextOf[*protocol.Heartbeat](lively)
		select {
		case err := <-ended:
			if isTimeout(err) {
				t.Error("the quiet peer is still connected")
			}
			nextOf[*protocol.Heartbeat](lively)
			return
		default:
		}
	}
}

// TestConnectionsMustBeginWithAProxyHeaderAndTLSForThisName tries every other beginning.
func TestConnectionsMustBeginWithAProxyHeaderAndTLSForThisName(t *testing.T) {
	r := servertest.Start(t, storetest.New(t))
	other := r.TLS()
	other.ServerName = "globex.localhost"
	old := r.TLS()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	proxied := func() (net.Conn, error) { return r.Dial(t.Context(), "", "") }
	bare := func() (net.Conn, error) { return new(net.Dialer).DialContext(t.Context(), "tcp", r.Public) }
	prefixed := func(prefix string) func() (net.Conn, error) {
		return func() (net.Conn, error) {
			conn, err := bare()
			if err == nil {
				_, err = io.WriteString(conn, prefix)
			}
			return conn, err
		}
	}
	tests := map[string]struct {
		dial func() (net.Conn, error)
		tls  *tls.Config
		ok   bool
	}{
		"version 2":           {proxied, r.TLS(), true},
		"no header":           {bare, r.TLS(), false},
		"version 1":           {prefixed("PROXY TCP4 203.0.113.7 203.0.113.8 1 2\r\n"), r.TLS(), false},
		"local command":       {prefixed("\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"), r.TLS(), false},
		"another name":        {proxied, other, false},
		"TLS 1.1":             {proxied, old, false},
		"header after header": {prefixed("GET / HTTP/1.1\r\n\r\n"), r.TLS(), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			conn, err := test.dial()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(patience))
			err = tls.Client(conn, test.tls).HandshakeContext(t.Context())
			if (err == nil) != test.ok {
				t.Errorf("handshake: %v", err)
			}
		})
	}
}

// TestAClientThatSaysNothingIsCutOff stops at every stage of a connection.
func TestAClientThatSaysNothingIsCutOff(t *testing.T) {
	timing := servertest.Patient()
	timing.ProxyHeader, timing.RequestHeader, timing.Request = time.Second, time.Second, 2*time.Second
	r := servertest.Start(t, storetest.New(t), servertest.WithTiming(timing))
	proxied := func() (net.Conn, error) { return r.Dial(t.Context(), "", "") }
	secured := func(then string) func() (net.Conn, error) {
		return func() (net.Conn, error) {
			conn, err := proxied()
			if err != nil {
				return nil, err
			}
			// On a slow machine the time may be over before the handshake is: that is cut off too.
			over := tls.Client(conn, r.TLS())
			if over.HandshakeContext(t.Context()) == nil {
				_, _ = io.WriteString(over, then)
			}
			return over, nil
		}
	}
	beginnings := map[string]func() (net.Conn, error){
		"before the PROXY header": func() (net.Conn, error) {
			return new(net.Dialer).DialContext(t.Context(), "tcp", r.Public)
		},
		"before TLS":         proxied,
		"before the request": secured(""),
		"inside the headers": secured("GET / HTTP/1.1\r\nHost: acme.localhost\r\n"),
		"inside the body": secured("POST /api/v1/visitor/session HTTP/1.1\r\nHost: acme.localhost:8443\r\n" +
			"Origin: https://acme.localhost:8443\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"),
	}
	ended := make(chan error, len(beginnings))
	for name, dial := range beginnings {
		go func() { ended <- waitForEnd(name, dial) }()
	}
	for range beginnings {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// waitForEnd reads until the server ends the connection.
func waitForEnd(name string, dial func() (net.Conn, error)) error {
	conn, err := dial()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	_, err = io.Copy(io.Discard, conn)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("%s: still connected after %v", name, patience)
	}
	return nil
}

func TestConnectionsAreBoundedByMemory(t *testing.T) {
	for memory, want := range map[int64]int{256 << 20: 1024, 512 << 20: 2048, math.MaxInt64: 16_384} {
		if got := edge.DefaultLimits(memory).Connections; got != want {
			t.Errorf("%d bytes allow %d connections, want %d", memory, got, want)
		}
	}
}

func TestConnectionsBeyondTheLimitAreClosedAtOnce(t *testing.T) {
	limits := servertest.Generous()
	limits.Connections = 3
	r := servertest.Start(t, storetest.New(t), servertest.WithLimits(limits))
	token := newVisitor(t, r)
	// The visitor has the answer before the server has closed the connection it came by.
	waitForMetric(t, r, "chattenant_connections 0")
	for range 3 {
		greet(connect(t, r), token)
	}
	conn, err := r.Dial(t.Context(), "", "")
	if err == nil {
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		_, err = conn.Read(make([]byte, 1))
		_ = conn.Close()
	}
	var timeout net.Error
	if err == nil || (errors.As(err, &timeout) && timeout.Timeout()) {
		t.Errorf("the fourth connection stays: %v", err)
	}
}
