// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// wantAsStandard compares a frame with what encoding/json makes of it.
func wantAsStandard(t *testing.T, f protocol.Frame) {
	t.Helper()
	got, err := protocol.Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is encoded otherwise than by encoding/json (-want +got):\n%s", f.FrameType(), diff)
	}
}

func FuzzEventsAndAcksAreEncodedAsByTheStandardLibrary(f *testing.F) {
	for _, text := range []string{"", "hello", "a \"quoted\" \\ text", "</script><b>&amp;",
		"Gr\u00fc\u00dfe \U0001F600 \u2028", "tab\tline\nreturn\r\x00\x7f", "broken \xff\xc3 utf-8"} {
		f.Add(text, "Ada", int64(1), int64(1), int64(1_770_000_000_000), false, false)
		f.Add("x", text, int64(-1), int64(1)<<62, int64(0), true, true)
	}
	f.Fuzz(func(t *testing.T, body, name string, epoch, seq, at int64, aimed, erased bool) {
		ids := [4]uuid.UUID{uuid.New(), uuid.New(), uuid.New(), uuid.New()}
		const yearOf10000 = 253_402_300_800_000
		when := protocol.Time{Time: time.UnixMilli((at%yearOf10000 + yearOf10000) % yearOf10000)}
		event := &protocol.Event{
			Conversation: ids[0], Epoch: epoch, Seq: seq, ID: ids[1], Kind: protocol.KindMessage, ClientID: ids[2],
			Author: protocol.Person{Kind: protocol.Agent, ID: ids[3], DisplayName: protocol.NewText(name)},
			Body:   protocol.NewText(body), Erased: erased, At: when,
		}
		if aimed {
			event.Kind, event.Target = protocol.KindEdit, &ids[3]
		}
		wantAsStandard(t, event)
		wantAsStandard(t, &protocol.Ack{
			ClientID: ids[0], Conversation: ids[1], Epoch: epoch, Seq: seq, ID: ids[2], At: when,
		})
	})
}

func BenchmarkEncodeEvent(b *testing.B) {
	event := &protocol.Event{
		Conversation: uuid.New(), Epoch: 1, Seq: 42, ID: uuid.New(), Kind: protocol.KindMessage, ClientID: uuid.New(),
		Author: protocol.Person{Kind: protocol.Visitor, ID: uuid.New()},
		Body:   protocol.NewText("How can I change the address of an order that was placed yesterday?"),
		At:     protocol.Time{Time: time.Now()},
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := protocol.Encode(event); err != nil {
			b.Fatal(err)
		}
	}
}
