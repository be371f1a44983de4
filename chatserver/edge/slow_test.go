// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"github.com/chattenant/chattenant/chatserver/edge"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// slowDial connects with a receive buffer so small that the server soon notices a client that does not read.
func slowDial(r *servertest.Replica) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := r.Dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return conn, conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	}
}

func TestASlowReaderIsClosedAndResumesWithEverything(t *testing.T) {
	timing := edge.DefaultTiming()
	timing.Write = 500 * time.Millisecond
	r := servertest.Start(t, storetest.New(t), servertest.WithTiming(timing))
	token := newVisitor(t, r)
	sender := connect(t, r)
	sender.greet(token)
	sender.say(`{"type":"open","clientId":"` + uuid.NewString() + `"}`)
	conversation := nextOf[*protocol.Opened](sender).Conversation

	dialer := websocket.Dialer{NetDialContext: slowDial(r), TLSClientConfig: r.TLS(), Subprotocols: []string{protocol.Subprotocol}}
	conn, _, err := dialer.DialContext(t.Context(), "wss://"+servertest.Host+":"+servertest.Port+"/api/v1/ws", originHeader())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	slow := &wire{conn, t}
	slow.greet(token)

	const messages = 120
	body := strings.Repeat("\U0001F600", 3900)
	for range messages {
		sender.say(sendFrame(t, conversation.String(), uuid.NewString(), body))
		nextOf[*protocol.Ack](sender)
	}
	// The slow client wakes up and finds its connection ended somewhere in the middle.
	time.Sleep(2 * timing.Write)
	var epoch, last int64
	for {
		frame, err := slow.read()
		if err != nil {
			break
		}
		if event, ok := frame.(*protocol.Event); ok {
			epoch, last = event.Epoch, event.Seq
		}
	}
	if last == messages {
		t.Fatal("the slow reader got everything: it was never slow")
	}
	resumed := connect(t, r)
	cursor := ""
	if last > 0 {
		cursor = cursors(conversation, epoch, last)
	}
	resumed.say(`{"type":"hello","protocol":1,"token":"` + token + `"` + cursor + `}`)
	for seq := last + 1; seq <= messages; seq++ {
		if event := nextOf[*protocol.Event](resumed); event.Seq != seq {
			t.Fatalf("event %d came where %d was due", event.Seq, seq)
		}
	}
	if caughtUp := nextOf[*protocol.CaughtUp](resumed); caughtUp.Seq != messages {
		t.Errorf("caught up at %d", caughtUp.Seq)
	}
}

func TestAPeerThatAnswersNothingIsDisconnected(t *testing.T) {
	timing := edge.DefaultTiming()
	timing.Heartbeat, timing.Silence = 100*time.Millisecond, 400*time.Millisecond
	r := servertest.Start(t, storetest.New(t), servertest.WithTiming(timing))
	token := newVisitor(t, r)
	quiet, lively := connect(t, r), connect(t, r)
	quiet.SetPingHandler(func(string) error { return nil })
	for _, w := range []*wire{quiet, lively} {
		w.greet(token)
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
	// The other one answers pings by reading, and stays beyond the time the quiet one was given.
	for range 8 {
		nextOf[*protocol.Heartbeat](lively)
	}
	var timeout net.Error
	if err := <-ended; errors.As(err, &timeout) && timeout.Timeout() {
		t.Error("the quiet peer is still connected")
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
	bare := func() (net.Conn, error) { return net.Dial("tcp", r.Public) }
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

func TestAClientThatSaysNothingIsCutOff(t *testing.T) {
	r := servertest.Start(t, storetest.New(t))
	beginnings := map[string]func() (net.Conn, error){
		"before the PROXY header": func() (net.Conn, error) { return net.Dial("tcp", r.Public) },
		"before TLS":              func() (net.Conn, error) { return r.Dial(t.Context(), "", "") },
		"before the request": func() (net.Conn, error) {
			conn, err := r.Dial(t.Context(), "", "")
			if err != nil {
				return nil, err
			}
			secured := tls.Client(conn, r.TLS())
			return secured, secured.HandshakeContext(t.Context())
		},
		"inside the headers": func() (net.Conn, error) {
			conn, err := r.Dial(t.Context(), "", "")
			if err != nil {
				return nil, err
			}
			secured := tls.Client(conn, r.TLS())
			_, err = io.WriteString(secured, "GET / HTTP/1.1\r\nHost: acme.localhost\r\n")
			return secured, err
		},
	}
	ended := make(chan error, len(beginnings))
	for name, dial := range beginnings {
		go func() {
			conn, err := dial()
			if err != nil {
				ended <- err
				return
			}
			defer func() { _ = conn.Close() }()
			_ = conn.SetReadDeadline(time.Now().Add(patience))
			_, err = io.Copy(io.Discard, conn)
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				ended <- errors.New(name + ": still connected")
				return
			}
			ended <- nil
		}()
	}
	for range beginnings {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestConnectionsBeyondTheLimitAreClosedAtOnce(t *testing.T) {
	limits := servertest.Generous()
	limits.Connections = 3
	r := servertest.Start(t, storetest.New(t), servertest.WithLimits(limits))
	token := newVisitor(t, r)
	for range 3 {
		connect(t, r).greet(token)
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
