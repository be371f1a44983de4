// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

var id = uuid.MustParse("0192b3c4-0000-7000-8000-000000000001")

func TestFramesOfBothSidesSurviveTheWire(t *testing.T) {
	at := protocol.Time{Time: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)}
	person := protocol.Person{Kind: protocol.Agent, ID: id, DisplayName: protocol.NewText("Grace")}
	contact := &protocol.Contact{Name: protocol.NewText("Ada"), Email: protocol.NewText("ada@example.org")}
	client := []protocol.Frame{
		&protocol.Hello{
			Protocol: 1, Token: protocol.NewText("token"), Cursors: map[uuid.UUID]protocol.Cursor{id: {Epoch: 1, Seq: 2}},
		},
		&protocol.Open{ClientID: id, Contact: contact},
		&protocol.Send{Conversation: id, ClientID: id, Body: protocol.NewText("hello <&> \u2028")},
		&protocol.Ping{},
	}
	server := []protocol.Frame{
		&protocol.Welcome{Protocol: 1, Self: person, Epoch: 1, HeartbeatSeconds: 15},
		&protocol.Conversation{Conversation: id, OpenedAt: at, Head: 3, Contact: contact},
		&protocol.Event{
			Conversation: id, Epoch: 1, Seq: 2, ID: id, Kind: protocol.KindMessage, Author: person, ClientID: id,
			Body: protocol.NewText("hello"), At: at,
		},
		&protocol.CaughtUp{Conversation: id, Epoch: 1, Seq: 2},
		&protocol.Reset{Conversation: id, Epoch: 2},
		&protocol.Opened{ClientID: id, Conversation: id, OpenedAt: at},
		&protocol.Ack{ClientID: id, Conversation: id, Epoch: 1, Seq: 2, ID: id, At: at},
		&protocol.Presence{Available: new(bool), People: []protocol.Attendance{
			{Conversation: &id, Participant: protocol.Participant{Kind: protocol.Visitor, ID: id}, Online: true},
			{Participant: protocol.Participant{Kind: protocol.Agent, ID: id}},
		}},
		&protocol.Heartbeat{Heads: map[uuid.UUID]int64{id: 7}},
		&protocol.Drain{ReconnectAfterMs: 5},
		&protocol.Error{Code: protocol.RateLimited, Message: "later", ClientID: &id, RetryAfterMs: 9},
	}
	check := func(frames []protocol.Frame, decode func([]byte) (protocol.Frame, error)) {
		for _, frame := range frames {
			data, err := protocol.Encode(frame)
			if err != nil {
				t.Fatal(err)
			}
			got, err := decode(data)
			if err != nil {
				t.Errorf("decode %s: %v", frame.FrameType(), err)
				continue
			}
			if diff := cmp.Diff(frame, got, exported()); diff != "" {
				t.Errorf("%s: %s", frame.FrameType(), diff)
			}
		}
	}
	check(client, protocol.DecodeClient)
	check(server, protocol.DecodeServer)
}

// exported compares wire text by its value, which cmp cannot see.
func exported() cmp.Option {
	return cmp.Comparer(func(a, b protocol.Text) bool { return a.Reveal() == b.Reveal() })
}

func TestTimesAreUTCWithMilliseconds(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6789e3, time.FixedZone("", 3600))
	data, err := json.Marshal(protocol.Time{Time: at})
	if err != nil || string(data) != `"2026-01-02T02:04:05.006Z"` {
		t.Errorf("%s, %v", data, err)
	}
}

func TestAFramePrintsNothingPersonal(t *testing.T) {
	frame := &protocol.Send{Conversation: id, Body: protocol.NewText("seeded")}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, frame); strings.Contains(got, "seeded") {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

func TestClientsIgnoreWhatTheyDoNotKnow(t *testing.T) {
	if frame, err := protocol.DecodeServer([]byte(`{"type":"juggling","who":"x"}`)); frame != nil || err != nil {
		t.Errorf("an unknown frame: %v, %v", frame, err)
	}
	frame, err := protocol.DecodeServer([]byte(`{"type":"drain","reconnectAfterMs":7,"reason":"upgrade"}`))
	if drain, ok := frame.(*protocol.Drain); err != nil || !ok || drain.ReconnectAfterMs != 7 {
		t.Errorf("an unknown field: %v, %v", frame, err)
	}
}

func TestStrictDecodingRefusesAllButOneExactObject(t *testing.T) {
	for _, input := range []string{
		``, ` `, `null`, `[]`, `""`, `1`, `{`, `{}{}`, `{"email":"a","email":"b"}`, `{"Email":"a"}`, `{"extra":1}`,
		`{"email":null}`, `{"email":1}`, `{"email":["a"]}`, "{\"email\":\"\xff\"}", `{"email":"a",}`, `{'email':'a'}`,
	} {
		var body protocol.SignInRequest
		if err := protocol.DecodeStrict([]byte(input), &body); !errors.Is(err, protocol.ErrMalformed) {
			t.Errorf("DecodeStrict(%q) = %v", input, err)
		}
	}
	var body protocol.SignInRequest
	err := protocol.DecodeStrict([]byte(" {\"email\" : \"a\\u00e9\"}\n"), &body)
	if err != nil || body.Email.Reveal() != "aé" {
		t.Errorf("a good object: %v", err)
	}
}

func TestFieldsAreBounded(t *testing.T) {
	text := protocol.NewText
	long := func(n int) string { return strings.Repeat("é", n) }
	sends := map[string]struct {
		send protocol.Send
		ok   bool
	}{
		"good":            {protocol.Send{Conversation: id, ClientID: id, Body: text("a\tb\nc")}, true},
		"longest":         {protocol.Send{Conversation: id, ClientID: id, Body: text(long(4000))}, true},
		"too long":        {protocol.Send{Conversation: id, ClientID: id, Body: text(long(4001))}, false},
		"blank":           {protocol.Send{Conversation: id, ClientID: id, Body: text(" \n\u00a0")}, false},
		"control":         {protocol.Send{Conversation: id, ClientID: id, Body: text("a\x07")}, false},
		"no conversation": {protocol.Send{ClientID: id, Body: text("a")}, false},
		"no client id":    {protocol.Send{Conversation: id, Body: text("a")}, false},
	}
	for name, test := range sends {
		if err := test.send.Validate(); (err == nil) != test.ok {
			t.Errorf("send %s: %v", name, err)
		}
	}
	contacts := map[string]struct {
		contact protocol.Contact
		ok      bool
	}{
		"none":         {protocol.Contact{}, true},
		"any script":   {protocol.Contact{Name: text("名前 O'Neil-Ünal"), Email: text("ü@bücher.example")}, true},
		"long name":    {protocol.Contact{Name: text(long(201))}, false},
		"two lines":    {protocol.Contact{Name: text("a\nb")}, false},
		"no at":        {protocol.Contact{Email: text("ada.example.org")}, false},
		"two at":       {protocol.Contact{Email: text("a@b@c")}, false},
		"no local":     {protocol.Contact{Email: text("@example.org")}, false},
		"header split": {protocol.Contact{Email: text("a@b\r\nBcc: c@d")}, false},
		"long email":   {protocol.Contact{Email: text(long(250) + "@b.example")}, false},
	}
	for name, test := range contacts {
		if err := (&protocol.Open{ClientID: id, Contact: &test.contact}).Validate(); (err == nil) != test.ok {
			t.Errorf("contact %s: %v", name, err)
		}
	}
	if err := (&protocol.Open{}).Validate(); err == nil {
		t.Error("an open without a client id is taken")
	}
}

func TestEveryCodeHasItsStatus(t *testing.T) {
	want := map[protocol.Code]int{
		protocol.InvalidRequest: 400, protocol.Unauthenticated: 401, protocol.Forbidden: 403, protocol.NotFound: 404,
		protocol.TooLarge: 413, protocol.RateLimited: 429, protocol.Unavailable: 503, protocol.Internal: 500, "new": 500,
	}
	for code, status := range want {
		if got := code.HTTPStatus(); got != status {
			t.Errorf("%s: %d, want %d", code, got, status)
		}
	}
}
