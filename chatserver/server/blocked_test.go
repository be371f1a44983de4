// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/chatserver/client"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

// proxy opens the TLS of a network's users, as some employers' do, and passes requests on to a replica of its choice.
type proxy struct {
	address string
	// upgrades, streams and posts count what came.
	upgrades, streams, posts atomic.Int64
	// upgrade treats a WebSocket handshake; by default it is refused.
	upgrade func(w http.ResponseWriter, r *http.Request)
	// answered looks at an answer before it is passed on.
	answered func(*http.Response)
}

func startProxy(t *testing.T, like *servertest.Replica, choose func(path string) *servertest.Replica) *proxy {
	t.Helper()
	p := &proxy{answered: func(*http.Response) {}, upgrade: func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "WebSockets are against our policy", http.StatusForbidden)
	}}
	onward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "https", Host: servertest.Host + ":" + servertest.Port})
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{
			TLSClientConfig: like.TLS(), DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				path, _ := ctx.Value(pathKey{}).(string)
				return choose(path).Dial(ctx, network, address)
			},
		},
		ModifyResponse: func(r *http.Response) error { p.answered(r); return nil },
		// Tests cut connections on purpose.
		ErrorLog:     log.New(io.Discard, "", 0),
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.count(r)
		if r.Header.Get("Upgrade") != "" {
			p.upgrade(w, r)
			return
		}
		onward.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), pathKey{}, r.URL.Path)))
	}))
	pair := like.CA.Write(t, filepath.Join(t.TempDir(), "proxy"), certtest.Leaf{Hosts: []string{servertest.Host}})
	certificate, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	p.address = server.Listener.Addr().String()
	return p
}

type pathKey struct{}

func (p *proxy) count(r *http.Request) {
	switch {
	case r.Header.Get("Upgrade") != "":
		p.upgrades.Add(1)
	case r.URL.Path == "/api/v1/stream":
		p.streams.Add(1)
	case r.URL.Path == "/api/v1/frames":
		p.posts.Add(1)
	}
}

func TestAClientGetsThroughWhereWebSocketsAreBlocked(t *testing.T) {
	// Held keeps a handshake waiting without an answer until the client gives it up.
	held := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, upgrade := range map[string]func(http.ResponseWriter, *http.Request){"refused": nil, "held": held} {
		t.Run(name, func(t *testing.T) {
			r := servertest.Start(t, storetest.New(t))
			p := startProxy(t, r, func(string) *servertest.Replica { return r })
			if upgrade != nil {
				p.upgrade = upgrade
			}
			v, c := newVisitor(t, servertest.ClientThrough(t, client.TransportAuto, r, p.address))
			for n := range 3 {
				if _, err := v.Send(t.Context(), c, fmt.Sprint(n)); err != nil {
					t.Fatal(err)
				}
			}
			v.WaitFor(t, c, 3)
			if p.upgrades.Load() != 2 || p.streams.Load() != 1 {
				t.Errorf("%d WebSockets and %d streams were tried", p.upgrades.Load(), p.streams.Load())
			}
			// What was found out is remembered.
			v.Reconnect()
			v.WaitWelcomes(t, 2)
			if p.upgrades.Load() != 2 || p.streams.Load() != 2 {
				t.Errorf("afterwards %d WebSockets and %d streams", p.upgrades.Load(), p.streams.Load())
			}
		})
	}
}

// TestAnAnswerLostOnItsWayMakesNoSecondMessage cuts answers off after the server has committed what they acknowledge.
func TestAnAnswerLostOnItsWayMakesNoSecondMessage(t *testing.T) {
	db := storetest.New(t)
	r := servertest.Start(t, db)
	p := startProxy(t, r, func(string) *servertest.Replica { return r })
	var lost atomic.Int64
	p.answered = func(answer *http.Response) {
		if answer.Request.URL.Path == "/api/v1/frames" && lost.Add(1)%2 == 1 {
			panic(http.ErrAbortHandler)
		}
	}
	v, c := newVisitor(t, servertest.ClientThrough(t, client.TransportStream, r, p.address))
	const messages = 3
	for n := range messages {
		ack, err := v.Send(t.Context(), c, fmt.Sprint(n))
		if err != nil || ack.Seq != int64(n)+1 {
			t.Fatalf("message %d: %+v, %v", n, ack, err)
		}
	}
	for n, event := range v.WaitFor(t, c, messages) {
		if event.Body.Reveal() != fmt.Sprint(n) {
			t.Errorf("event %d is %q", n, event.Body.Reveal())
		}
	}
	if lost.Load() < 2*messages {
		t.Errorf("only %d answers were looked at", lost.Load())
	}
	var rows int
	if err := db.Admin(t).QueryRow(t.Context(), `SELECT count(*) FROM event`).Scan(&rows); err != nil || rows != messages {
		t.Errorf("%d messages in the database, %v", rows, err)
	}
}

// TestFramesMayBeAnsweredByAnotherReplicaThanTheStreams is what a Service without affinity does.
func TestFramesMayBeAnsweredByAnotherReplicaThanTheStreams(t *testing.T) {
	db := storetest.New(t)
	one := servertest.Start(t, db)
	two := servertest.StartBeside(t, db, one)
	p := startProxy(t, one, func(path string) *servertest.Replica {
		if path == "/api/v1/frames" {
			return two
		}
		return one
	})
	servertest.NewAgent(t, db, "grace@example.org", "Grace")
	c := servertest.ClientThrough(t, client.TransportStream, one, p.address)
	v, conversation := newVisitor(t, c)
	agentClient := two.Client(t)
	who, err := agentClient.SignIn(t.Context(), redacted.New("grace@example.org"), redacted.New(servertest.Password))
	if err != nil {
		t.Fatal(err)
	}
	a := servertest.Attend(t, agentClient, who)
	const messages = 20
	for n := range messages {
		if _, err := v.Send(t.Context(), conversation, fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
	}
	for _, reader := range []*servertest.Attendance{v, a} {
		for n, event := range reader.WaitFor(t, conversation, messages) {
			if event.Body.Reveal() != fmt.Sprint(n) {
				t.Errorf("event %d is %q", n, event.Body.Reveal())
			}
		}
	}
	if p.posts.Load() < messages {
		t.Errorf("only %d posts", p.posts.Load())
	}
}

// TestAStreamThatIsCutIsContinuedWithoutAGap cuts the stream without a word while messages are under way.
func TestAStreamThatIsCutIsContinuedWithoutAGap(t *testing.T) {
	db := storetest.New(t)
	r := servertest.Start(t, db)
	p := startProxy(t, r, func(string) *servertest.Replica { return r })
	cut := make(chan struct{}, 1)
	p.answered = func(answer *http.Response) {
		if answer.Request.URL.Path == "/api/v1/stream" {
			body := answer.Body
			go func() { <-cut; _ = body.Close() }()
		}
	}
	v, c := newVisitor(t, servertest.ClientThrough(t, client.TransportStream, r, p.address))
	const messages = 30
	for n := range messages {
		if n%10 == 5 {
			cut <- struct{}{}
		}
		if _, err := v.Send(t.Context(), c, fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
	}
	for n, event := range v.WaitFor(t, c, messages) {
		if event.Body.Reveal() != fmt.Sprint(n) {
			t.Errorf("event %d is %q", n, event.Body.Reveal())
		}
	}
	if v.Welcomes() < 2 {
		t.Error("the stream was never cut")
	}
}

func TestTypingAndReceiptsTravelWithoutWebSockets(t *testing.T) {
	db := storetest.New(t)
	r := servertest.Start(t, db)
	servertest.NewAgent(t, db, "grace@example.org", "Grace")
	c := servertest.ClientOver(t, client.TransportStream, r, func() *servertest.Replica { return r })
	v, conversation := newVisitor(t, c)
	if _, err := v.Send(t.Context(), conversation, "hello"); err != nil {
		t.Fatal(err)
	}
	typing, receipts := make(chan bool, 100), make(chan int64, 100)
	who, err := c.SignIn(t.Context(), redacted.New("grace@example.org"), redacted.New(servertest.Password))
	if err != nil {
		t.Fatal(err)
	}
	caughtUp := make(chan struct{}, 10)
	session := c.NewSession(who, client.Observer{
		CaughtUp: func(*protocol.CaughtUp) { caughtUp <- struct{}{} },
		Typing:   func(f *protocol.TypingNotice) { typing <- f.Typing },
		Receipt: func(f *protocol.ReceiptNotice) {
			if f.Reader.Kind == protocol.Visitor {
				receipts <- f.Read
			}
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = session.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	await(t, "to catch up", caughtUp)
	if err := v.Type(conversation, true); err != nil {
		t.Fatal(err)
	}
	if !await(t, "typing", typing) {
		t.Error("the visitor stopped before they began")
	}
	if err := v.Confirm(conversation, 1, 1); err != nil {
		t.Fatal(err)
	}
	if read := await(t, "a receipt", receipts); read != 1 {
		t.Errorf("read up to %d", read)
	}
}

func await[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(90 * time.Second):
		t.Fatalf("waited in vain for %s", what)
	}
	var none T
	return none
}
