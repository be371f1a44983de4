// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
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

const (
	policyViolation = websocket.ClosePolicyViolation
	tooBig          = websocket.CloseMessageTooBig
	goingAway       = websocket.CloseGoingAway
)

func TestAFrameThatBreaksTheGrammarEndsTheSocket(t *testing.T) {
	overEach(t, aFrameThatBreaksTheGrammarEndsTheSocket)
}

func aFrameThatBreaksTheGrammarEndsTheSocket(t *testing.T, over carrier) {
	t.Helper()
	r := servertest.Start(t, storetest.New(t))
	token := newVisitor(t, r)
	id := uuid.NewString()
	frames := map[string]string{
		"not JSON":              `hello`,
		"empty":                 ``,
		"array":                 `[{"type":"ping"}]`,
		"null":                  `null`,
		"no type":               `{"protocol":1}`,
		"unknown type":          `{"type":"shutdown"}`,
		"server's type":         `{"type":"welcome"}`,
		"unknown field":         `{"type":"ping","now":true}`,
		"other case":            `{"Type":"ping"}`,
		"repeated key":          `{"type":"ping","type":"ping"}`,
		"repeated body":         `{"type":"send","conversation":"` + id + `","clientId":"` + id + `","body":"a","body":"b"}`,
		"body not a string":     `{"type":"send","conversation":"` + id + `","clientId":"` + id + `","body":{"a":1}}`,
		"body null":             `{"type":"send","conversation":"` + id + `","clientId":"` + id + `","body":null}`,
		"deletion with a body":  `{"type":"delete","target":"` + id + `","body":""}`,
		"id not a UUID":         `{"type":"send","conversation":"1","clientId":"` + id + `","body":"a"}`,
		"contact not an object": `{"type":"open","clientId":"` + id + `","contact":"Ada"}`,
		"unknown contact":       `{"type":"open","clientId":"` + id + `","contact":{"fax":"1"}}`,
		"two values":            `{"type":"ping"}{"type":"ping"}`,
		"invalid UTF-8":         "{\"type\":\"ping\xff\"}",
		"second hello":          `{"type":"hello","protocol":1,"token":"` + token + `"}`,
	}
	for name, frame := range frames {
		t.Run(name, func(t *testing.T) {
			w := over.to(t, r)
			greet(w, token)
			w.say(frame)
			expectRefusal(t, name, w, protocol.InvalidRequest)
		})
	}
}

func TestBinaryAndOversizedFramesEndTheSocket(t *testing.T) {
	r := servertest.Start(t, storetest.New(t), servertest.WithTiming(longFarewell()))
	token := newVisitor(t, r)
	w := connect(t, r)
	greet(w, token)
	if err := w.WriteMessage(websocket.BinaryMessage, []byte(`{"type":"ping"}`)); err != nil {
		t.Fatal(err)
	}
	if code, closed := w.expectEnd(); code != protocol.InvalidRequest || closed != policyViolation {
		t.Errorf("binary: answered %q and closed with %d", code, closed)
	}
	for name, write := range map[string]func(*wire) error{
		"whole": func(w *wire) error {
			return w.WriteMessage(websocket.TextMessage, []byte(strings.Repeat(" ", protocol.MaxFrame+1)))
		},
		"in fragments": func(w *wire) error {
			// Each fragment is small; the message is not.
			out, err := w.NextWriter(websocket.TextMessage)
			for range 20 {
				if err == nil {
					_, err = out.Write([]byte(strings.Repeat(" ", protocol.MaxFrame/8)))
				}
			}
			return err
		},
	} {
		w := connect(t, r)
		greet(w, token)
		if err := write(w); err != nil {
			t.Fatal(err)
		}
		if _, closed := w.expectEnd(); closed != tooBig {
			t.Errorf("oversized %s: closed with %d", name, closed)
		}
	}
}

// longFarewell lets a client that has not said everything yet do so, and then read what it is told.
func longFarewell() edge.Timing {
	timing := servertest.Patient()
	timing.Farewell = 30 * time.Second
	return timing
}

func TestALargeHelloIsReadAndAnOversizedOneIsNot(t *testing.T) {
	r := servertest.Start(t, storetest.New(t), servertest.WithTiming(longFarewell()))
	token := newVisitor(t, r)
	hello := func(cursors int) string {
		var b strings.Builder
		for i := range cursors {
			fmt.Fprintf(&b, `%q:{"epoch":1700000000000,"seq":%d},`, uuid.NewString(), i)
		}
		return `{"type":"hello","protocol":1,"token":"` + token + `","cursors":{` + strings.TrimSuffix(b.String(), ",") + `}}`
	}
	w := connect(t, r)
	w.say(hello(700))
	nextOf[*protocol.Welcome](w)
	w = connect(t, r)
	w.say(hello(1200))
	if _, closed := w.expectEnd(); closed != tooBig {
		t.Errorf("closed with %d", closed)
	}
}

func TestASocketWithoutHelloIsEnded(t *testing.T) {
	timing := servertest.Patient()
	timing.Hello = 300 * time.Millisecond
	r := servertest.Start(t, storetest.New(t), servertest.WithTiming(timing))
	if code, closed := connect(t, r).expectEnd(); code != protocol.InvalidRequest || closed != policyViolation {
		t.Errorf("answered %q and closed with %d", code, closed)
	}
}

func TestHelloComesFirstAndWithAValidProof(t *testing.T) {
	overEach(t, helloComesFirstAndWithAValidProof)
}

func helloComesFirstAndWithAValidProof(t *testing.T, over carrier) {
	t.Helper()
	r := servertest.Start(t, storetest.New(t))
	token := newVisitor(t, r)
	other := strings.Repeat("A", len(token))
	tests := map[string]struct {
		frame string
		want  protocol.Code
	}{
		"ping first":      {`{"type":"ping"}`, protocol.InvalidRequest},
		"other protocol":  {`{"type":"hello","protocol":2,"token":"` + token + `"}`, protocol.InvalidRequest},
		"no proof":        {`{"type":"hello","protocol":1}`, protocol.Unauthenticated},
		"unknown token":   {`{"type":"hello","protocol":1,"token":"` + other + `"}`, protocol.Unauthenticated},
		"malformed token": {`{"type":"hello","protocol":1,"token":"x' OR 1=1"}`, protocol.Unauthenticated},
		"padded token":    {`{"type":"hello","protocol":1,"token":"` + token + `="}`, protocol.Unauthenticated},
		"token as number": {`{"type":"hello","protocol":1,"token":1}`, protocol.InvalidRequest},
		"token as object": {`{"type":"hello","protocol":1,"token":{"$ne":""}}`, protocol.InvalidRequest},
		"token null":      {`{"type":"hello","protocol":1,"token":null}`, protocol.InvalidRequest},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := over.to(t, r)
			w.say(test.frame)
			expectRefusal(t, name, w, test.want)
		})
	}
}

func TestHandshakesMustAskForTheProtocol(t *testing.T) {
	r := servertest.Start(t, storetest.New(t))
	for name, header := range map[string]http.Header{
		"another": {"Sec-Websocket-Protocol": {"chat.v0"}}, "plain GET": {"Upgrade": {}},
	} {
		response, code := call(t, r, http.MethodGet, "/api/v1/ws", "", header)
		if code != protocol.InvalidRequest {
			t.Errorf("%s: %s %s", name, response.Status, code)
		}
	}
}

func TestARefusedMessageIsAnsweredAndTheSocketGoesOn(t *testing.T) {
	overEach(t, aRefusedMessageIsAnsweredAndTheSocketGoesOn)
}

func aRefusedMessageIsAnsweredAndTheSocketGoesOn(t *testing.T, over carrier) {
	t.Helper()
	r := servertest.Start(t, storetest.New(t))
	w := over.to(t, r)
	greet(w, newVisitor(t, r))
	w.say(`{"type":"open","clientId":"` + uuid.NewString() + `"}`)
	conversation := nextOf[*protocol.Opened](w).Conversation.String()
	bodies := map[string]string{
		"empty": "", "spaces": " \n\t ", "too long": strings.Repeat("é", protocol.MaxMessage+1), "NUL": "a\x00b",
		"escape": "\x1b[2J", "carriage return": "a\r\nb",
	}
	for name, body := range bodies {
		id := uuid.NewString()
		w.say(sendFrame(t, conversation, id, body))
		answer := nextOf[*protocol.Error](w)
		if answer.Code != protocol.InvalidRequest || answer.ClientID == nil || answer.ClientID.String() != id {
			t.Errorf("%s: answered %+v", name, answer)
		}
	}
	id := uuid.NewString()
	w.say(sendFrame(t, conversation, id, strings.Repeat("é", protocol.MaxMessage)))
	if ack := nextOf[*protocol.Ack](w); ack.ClientID.String() != id || ack.Seq != 1 {
		t.Errorf("the longest message: %+v", ack)
	}
	w.say(`{"type":"ping"}`)
	nextOf[*protocol.Heartbeat](w)
}

func sendFrame(t *testing.T, conversation, clientID, body string) string {
	t.Helper()
	data, err := json.Marshal(map[string]string{
		"type": "send", "conversation": conversation, "clientId": clientID, "body": body,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
