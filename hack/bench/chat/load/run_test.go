// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package load_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/hack/bench/chat/load"
)

// These tests run in bubbles of synctest, where time is what their sleeps add up to.

// even is a schedule with a message every interval, in one room.
func even(n int, interval time.Duration) []load.Arrival {
	arrivals := make([]load.Arrival, n)
	for i := range arrivals {
		arrivals[i].At = time.Duration(i) * interval
	}
	return arrivals
}

func newRun(n int, interval time.Duration, send func(*load.Ledger, int64) error) *load.Run {
	ledger := load.NewLedger(100, n, clock.RealClock{}.Now)
	return &load.Run{
		Rate: 1 / interval.Seconds(), Arrivals: even(n, interval), Length: time.Duration(n) * interval, Ledger: ledger,
		Send: func(_ int, n int64) error { return send(ledger, n) },
	}
}

func do(t *testing.T, r *load.Run) *load.Result {
	t.Helper()
	cutShort, err := r.Do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r.Result(cutShort)
}

func TestAStallIsChargedForEveryMessageThatWasDueMeanwhile(t *testing.T) {
	synctest.Test(t, aStallIsChargedForEveryMessageThatWasDueMeanwhile)
}

func aStallIsChargedForEveryMessageThatWasDueMeanwhile(t *testing.T) {
	const stall = 400 * time.Millisecond
	// The server takes a message at once, but answers none before the stall is over.
	over := make(chan struct{})
	time.AfterFunc(stall, func() { close(over) })
	result := do(t, newRun(100, 4*time.Millisecond, func(l *load.Ledger, n int64) error {
		go func() { <-over; l.Acked(n); l.Delivered(n) }()
		return nil
	}))
	if result.Acked != 100 || result.Unanswered != 0 || result.Undelivered != 0 {
		t.Fatalf("%+v", result)
	}
	// Due evenly over the stall, the median message waited for half of it.
	if p50 := load.Quantile(result.Ack, 50); p50 < stall/4 || p50 > stall {
		t.Errorf("the median is %v, want about %v", p50, stall/2)
	}
}

func TestABlockedGeneratorIsFoundOut(t *testing.T) {
	synctest.Test(t, aBlockedGeneratorIsFoundOut)
}

func aBlockedGeneratorIsFoundOut(t *testing.T) {
	// Sending itself takes longer than the pause between messages: the schedule cannot be kept.
	result := do(t, newRun(50, time.Millisecond, func(l *load.Ledger, n int64) error {
		time.Sleep(5 * time.Millisecond)
		l.Acked(n)
		l.Delivered(n)
		return nil
	}))
	var lag *load.LagError
	if err := result.CheckLag(20 * time.Millisecond); !errors.As(err, &lag) || lag.P99 < 100*time.Millisecond {
		t.Errorf("the generator was about 200 ms late and this is said: %v", err)
	}
	if p99 := load.Quantile(result.Ack, 99); p99 < 100*time.Millisecond {
		t.Errorf("the delay is missing in the latency: p99 %v", p99)
	}
}

func TestAPunctualGeneratorIsNotBlamed(t *testing.T) {
	synctest.Test(t, aPunctualGeneratorIsNotBlamed)
}

func aPunctualGeneratorIsNotBlamed(t *testing.T) {
	result := do(t, newRun(20, 10*time.Millisecond, func(l *load.Ledger, n int64) error {
		l.Acked(n)
		l.Delivered(n)
		return nil
	}))
	if err := result.CheckLag(5 * time.Second); err != nil {
		t.Error(err)
	}
}

func TestARunIsCutShortWhenTheServerFallsBehind(t *testing.T) {
	synctest.Test(t, aRunIsCutShortWhenTheServerFallsBehind)
}

func aRunIsCutShortWhenTheServerFallsBehind(t *testing.T) {
	r := newRun(5000, 100*time.Microsecond, func(l *load.Ledger, n int64) error {
		// Answers come, but only once it is too late.
		time.AfterFunc(time.Second, func() { l.Acked(n); l.Delivered(n) })
		return nil
	})
	r.Rate = 1
	result := do(t, r)
	if !result.CutShort || result.Sent == 5000 {
		t.Errorf("sent %d of 5000, cut short: %t", result.Sent, result.CutShort)
	}
}

func TestARefusedMessageCountsAsTheSlowest(t *testing.T) {
	synctest.Test(t, aRefusedMessageCountsAsTheSlowest)
}

func aRefusedMessageCountsAsTheSlowest(t *testing.T) {
	result := do(t, newRun(10, time.Millisecond, func(l *load.Ledger, n int64) error {
		l.Refused(n, "rate_limited")
		return nil
	}))
	if result.Refused != 10 || result.Refusals["rate_limited"] != 10 || result.Unanswered != 0 {
		t.Errorf("%+v", result)
	}
	if p50 := load.Quantile(result.Ack, 50); p50 < 59*time.Minute {
		t.Errorf("a message that was refused counts as %v", p50)
	}
}

func TestAnswersToMessagesOfAnotherRunAreStrays(t *testing.T) {
	synctest.Test(t, answersToMessagesOfAnotherRunAreStrays)
}

func answersToMessagesOfAnotherRunAreStrays(t *testing.T) {
	result := do(t, newRun(3, time.Millisecond, func(l *load.Ledger, n int64) error {
		l.Acked(n)
		l.Acked(n)
		l.Delivered(n)
		l.Acked(n + 1000)
		return nil
	}))
	if result.Acked != 3 || result.Strays != 3 {
		t.Errorf("%d acked, %d strays", result.Acked, result.Strays)
	}
}

func TestAnErrorOfSendingEndsTheRun(t *testing.T) {
	synctest.Test(t, anErrorOfSendingEndsTheRun)
}

func anErrorOfSendingEndsTheRun(t *testing.T) {
	broken := errors.New("broken")
	r := newRun(3, time.Millisecond, func(*load.Ledger, int64) error { return broken })
	if _, err := r.Do(t.Context()); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
