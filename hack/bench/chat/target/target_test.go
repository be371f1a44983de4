// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package target_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/hack/bench/chat/target"
)

func TestIdsAndTextsCarryTheirNumber(t *testing.T) {
	for _, n := range []int64{0, 1, 1 << 20, 1<<47 + 12345} {
		if _, err := uuid.Parse(target.ID(n)); err != nil {
			t.Error(err)
		}
		if got, err := target.Number(target.ID(n)); got != n || err != nil {
			t.Errorf("%d became %d, %v", n, got, err)
		}
		body := target.Body(n)
		if got, err := target.NumberOfBody(body); got != n || err != nil || len(body) != target.BodySize {
			t.Errorf("%d became %d, %v, in %d bytes", n, got, err, len(body))
		}
	}
}

func TestIdsOfOthersAreRefused(t *testing.T) {
	for _, id := range []string{"", "x", uuid.NewString(), target.ID(5)[1:], target.ID(5)[:35] + "g"} {
		if n, err := target.Number(id); err == nil {
			t.Errorf("%q is taken for %d", id, n)
		}
	}
}

// heard counts what a listener is told.
type heard struct{ acked, delivered, refused, lost int }

func (h *heard) Acked(int64)           { h.acked++ }
func (h *heard) Delivered(int64)       { h.delivered++ }
func (h *heard) Refused(int64, string) { h.refused++ }
func (h *heard) Lost(error)            { h.lost++ }

func TestAVisitorHearsAnswersAndAReaderHearsEvents(t *testing.T) {
	frame := func(kind string) []byte {
		return []byte(`{"type":"` + kind + `","conversation":"c","clientId":"` + target.ID(9) + `","seq":1}`)
	}
	var visitor, reader heard
	for _, kind := range []string{"ack", "event", "error", "heartbeat"} {
		target.Answers(&visitor, frame(kind))
		target.Deliveries(&reader, frame(kind))
	}
	if want := (heard{acked: 1, refused: 1}); visitor != want {
		t.Errorf("the visitor heard %+v", visitor)
	}
	if want := (heard{delivered: 1}); reader != want {
		t.Errorf("the reader heard %+v", reader)
	}
	var stray heard
	target.Answers(&stray, []byte(`{"type":"error","code":"unauthenticated","message":"over"}`))
	if want := (heard{lost: 1}); stray != want {
		t.Errorf("an error of the connection was heard as %+v", stray)
	}
}
