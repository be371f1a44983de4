// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"strings"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"
)

// day is what a client lives through: what reaches the server changes, and connections begin.
type day struct {
	choice choice
	clock  *testclock.FakeClock
	// sockets, streams and requests say what passes.
	sockets, streams, requests bool
	taken                      strings.Builder
}

// connect lives through one connection, and notes what it was: w or s, in upper case if it worked.
func (d *day) connect(times int) {
	for range times {
		t := d.choice.next()
		name, works := "w", d.sockets
		if t == TransportStream {
			name, works = "s", d.streams
		}
		if works {
			name = strings.ToUpper(name)
			d.choice.worked(t)
		} else {
			d.choice.failed(t, func() bool { return d.requests })
		}
		d.taken.WriteString(name)
	}
}

func TestStreamsAreTakenOnlyWhereWebSocketsAreWhatIsBlocked(t *testing.T) {
	tests := map[string]struct {
		transport Transport
		live      func(d *day)
		want      string
	}{
		"all is well": {TransportAuto, func(d *day) { d.sockets, d.requests = true, true; d.connect(4) }, "WWWW"},
		"blocked":     {TransportAuto, func(d *day) { d.streams, d.requests = true, true; d.connect(5) }, "wwSSS"},
		"the server is away": {TransportAuto, func(d *day) {
			d.connect(5)
			d.sockets, d.streams, d.requests = true, true, true
			d.connect(1)
		}, "wwwwwW"},
		"away for a moment": {TransportAuto, func(d *day) {
			d.requests = true
			d.connect(1)
			d.sockets = true
			d.connect(1)
			d.sockets = false
			d.connect(2)
		}, "wWww"},
		"neither passes": {TransportAuto, func(d *day) { d.requests = true; d.connect(7) }, "wwswwsw"},
		"a stream that worked is not given up": {TransportAuto, func(d *day) {
			d.streams, d.requests = true, true
			d.connect(3)
			d.streams, d.requests = false, false
			d.connect(3)
		}, "wwSsss"},
		"tried again after a while": {TransportAuto, func(d *day) {
			d.streams, d.requests = true, true
			d.connect(3)
			d.clock.Step(streamsFor - time.Second)
			d.connect(1)
			d.clock.Step(2 * time.Second)
			d.connect(3)
			d.clock.Step(streamsFor + time.Second)
			d.sockets = true
			d.connect(2)
		}, "wwSSwSSWW"},
		"only WebSockets": {TransportWebSocket, func(d *day) { d.streams, d.requests = true, true; d.connect(4) }, "wwww"},
		"only streams":    {TransportStream, func(d *day) { d.sockets, d.requests = true, true; d.connect(4) }, "ssss"},
	}
	for name, test := range tests {
		fake := testclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
		d := &day{clock: fake, choice: choice{transport: test.transport, clock: fake}}
		if test.live(d); d.taken.String() != test.want {
			t.Errorf("%s: took %s, want %s", name, &d.taken, test.want)
		}
	}
}
