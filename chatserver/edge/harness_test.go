// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/chattenant/chattenant/chatserver/client"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

const patience = 90 * time.Second

// answer is what a request was answered with.
type answer struct {
	StatusCode int
	Status     string
	Header     http.Header
	Cookies    []*http.Cookie
	Body       []byte
}

// call makes a request with a JSON body and returns the answer and its error code, if it has one.
func call(
	t *testing.T, r *servertest.Replica, method, path, body string, header http.Header,
) (answer, protocol.Code) {
	t.Helper()
	return callFrom(t, r, "203.0.113.7:4711", method, path, body, header)
}

// callFrom is call for a client at another address.
func callFrom(
	t *testing.T, r *servertest.Replica, source, method, path, body string, header http.Header,
) (answer, protocol.Code) {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig: r.TLS(), DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return servertest.DialAs(ctx, r.Public, source)
		},
	}
	request, err := http.NewRequestWithContext(t.Context(), method, servertest.Endpoint+path, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = http.Header{"Origin": {servertest.Endpoint}, "Content-Type": {"application/json"}}
	for name, values := range header {
		request.Header[name] = values
		if len(values) == 0 {
			delete(request.Header, name)
		}
	}
	if host := header.Get("Host"); host != "" {
		request.Host = host
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var refusal protocol.ErrorBody
	_ = json.Unmarshal(data, &refusal)
	return answer{response.StatusCode, response.Status, response.Header, response.Cookies(), data}, refusal.Error.Code
}

// peer is a bare client, for those that do not keep to the rules.
type peer interface {
	// say sends a frame, the first of which must be hello.
	say(text string)
	// read returns the next frame of the server, or how the connection ended.
	read() (protocol.Frame, error)
	// expectEnd reads until the server ends the connection and returns the code of the error that says why, and of the
	// close frame if there is one.
	expectEnd() (protocol.Code, int)
	test() *testing.T
}

// carrier is a way to the server.
type carrier struct {
	name string
	// counted is what metrics call its connections.
	counted string
	// connect opens it with the headers given on top of the right ones; an empty value removes one.
	connect func(t *testing.T, r *servertest.Replica, dial client.DialFunc, header http.Header) peer
}

// overEach runs a test over every carrier.
func overEach(t *testing.T, test func(t *testing.T, over carrier)) {
	t.Helper()
	socket := func(t *testing.T, r *servertest.Replica, dial client.DialFunc, header http.Header) peer {
		t.Helper()
		w, status := handshakeOver(t, r, dial, header)
		if w == nil {
			t.Fatalf("handshake answered %s", status)
		}
		return w
	}
	for _, over := range []carrier{{"WebSocket", "sockets", socket}, {"stream", "streams", openStream}} {
		t.Run(over.name, func(t *testing.T) { test(t, over) })
	}
}

// to connects without further headers.
func (c carrier) to(t *testing.T, r *servertest.Replica) peer {
	t.Helper()
	return c.connect(t, r, r.Dial, nil)
}

// as connects with a session cookie.
func (c carrier) as(t *testing.T, r *servertest.Replica, cookie *http.Cookie) peer {
	t.Helper()
	return c.connect(t, r, r.Dial, withCookie(cookie))
}

// wire is a bare WebSocket.
type wire struct {
	*websocket.Conn
	t *testing.T
}

func (w *wire) test() *testing.T { return w.t }

// handshake opens a WebSocket with the headers given on top of the right ones; an empty value removes one.
func handshake(t *testing.T, r *servertest.Replica, header http.Header) (w *wire, status string) {
	t.Helper()
	return handshakeOver(t, r, r.Dial, header)
}

// handshakeOver is handshake on a connection of the test's making.
func handshakeOver(
	t *testing.T, r *servertest.Replica, dial client.DialFunc, header http.Header,
) (w *wire, status string) {
	t.Helper()
	dialer := websocket.Dialer{
		NetDialContext: dial, TLSClientConfig: r.TLS(), Subprotocols: []string{protocol.Subprotocol},
		HandshakeTimeout: patience,
	}
	full := http.Header{"Origin": {servertest.Endpoint}}
	for name, values := range header {
		full[name] = values
		if len(values) == 0 {
			delete(full, name)
		}
	}
	conn, response, err := dialer.DialContext(t.Context(), "wss://"+servertest.Host+":"+servertest.Port+"/api/v1/ws", full)
	if err != nil && !errors.Is(err, websocket.ErrBadHandshake) {
		t.Fatalf("handshake: %v", err)
	}
	defer func() { _ = response.Body.Close() }()
	if conn == nil {
		return nil, response.Status
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &wire{conn, t}, response.Status
}

// connect opens a WebSocket.
func connect(t *testing.T, r *servertest.Replica) *wire {
	t.Helper()
	w, status := handshake(t, r, nil)
	if w == nil {
		t.Fatalf("handshake answered %s", status)
	}
	return w
}

// greet says hello as a visitor and waits for welcome.
func greet(w peer, token string) {
	w.test().Helper()
	w.say(`{"type":"hello","protocol":1,"token":"` + token + `"}`)
	frame := next(w)
	if _, ok := frame.(*protocol.Welcome); !ok {
		w.test().Fatalf("hello was answered by %+v", frame)
	}
}

func (w *wire) say(text string) {
	w.t.Helper()
	if err := w.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		w.t.Fatalf("write: %v", err)
	}
}

func next(w peer) protocol.Frame {
	w.test().Helper()
	frame, err := w.read()
	if err != nil {
		w.test().Fatalf("read: %v", err)
	}
	return frame
}

func (w *wire) read() (protocol.Frame, error) {
	_ = w.SetReadDeadline(time.Now().Add(patience))
	_, data, err := w.ReadMessage()
	if err != nil {
		return nil, err
	}
	return protocol.DecodeServer(data)
}

// answerTo is the next frame but heartbeats, which come by themselves too.
func answerTo(w peer) protocol.Frame {
	w.test().Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		frame := next(w)
		if _, ok := frame.(*protocol.Heartbeat); !ok {
			return frame
		}
	}
	w.test().Fatalf("there was no answer within %v", patience)
	return nil
}

// nextOf skips frames until one of type T comes.
func nextOf[T protocol.Frame](w peer) T {
	w.test().Helper()
	// Heartbeats would go on for ever.
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if frame, ok := next(w).(T); ok {
			return frame
		}
	}
	var missing T
	w.test().Fatalf("there was no %T within %v", missing, patience)
	return missing
}

func (w *wire) expectEnd() (protocol.Code, int) {
	w.t.Helper()
	var last protocol.Code
	// Heartbeats would go on for ever.
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		frame, err := w.read()
		var closed *websocket.CloseError
		switch {
		case errors.As(err, &closed):
			return last, closed.Code
		case err != nil:
			w.t.Fatalf("the connection ended without a close frame: %v", err)
		}
		if e, ok := frame.(*protocol.Error); ok {
			last = e.Code
		}
	}
	w.t.Fatalf("the connection did not end within %v", patience)
	return "", 0
}

// expectRefusal reads until the server ends the connection because of what the client is or did.
func expectRefusal(t *testing.T, what string, w peer, want protocol.Code) {
	t.Helper()
	code, closed := w.expectEnd()
	if code != want {
		t.Errorf("%s: answered %q, want %q", what, code, want)
	}
	if _, isSocket := w.(*wire); isSocket && closed != policyViolation {
		t.Errorf("%s: closed with %d", what, closed)
	}
}

// newVisitor returns a fresh visitor's token.
func newVisitor(t *testing.T, r *servertest.Replica) string {
	t.Helper()
	return newSession(t, r).Token.Reveal()
}

// newSession returns a fresh visitor.
func newSession(t *testing.T, r *servertest.Replica) protocol.VisitorSession {
	t.Helper()
	response, code := call(t, r, http.MethodPost, "/api/v1/visitor/session", `{}`, nil)
	if response.StatusCode != http.StatusCreated {
		t.Fatalf("new visitor: %s %s", response.Status, code)
	}
	var session protocol.VisitorSession
	if err := json.Unmarshal(response.Body, &session); err != nil {
		t.Fatal(err)
	}
	return session
}

// grace is the agent of these tests.
const grace = "grace@example.org"

// signIn returns a session cookie of grace's.
func signIn(t *testing.T, r *servertest.Replica) *http.Cookie {
	t.Helper()
	body := `{"email":"` + grace + `","password":"` + servertest.Password + `"}`
	response, code := call(t, r, http.MethodPost, "/api/v1/agent/session", body, nil)
	if response.StatusCode != http.StatusOK || len(response.Cookies) != 1 {
		t.Fatalf("sign in: %s %s", response.Status, code)
	}
	return response.Cookies[0]
}

func withCookie(c *http.Cookie) http.Header { return http.Header{"Cookie": {c.Name + "=" + c.Value}} }

// cursors is the cursors field of a hello with one conversation.
func cursors(conversation string, epoch, seq int64) string {
	return fmt.Sprintf(`,"cursors":{%q:{"epoch":%d,"seq":%d}}`, conversation, epoch, seq)
}
