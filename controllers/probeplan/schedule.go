// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package probeplan

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// When probes are repeated.
const (
	// DefaultPeriod is the time between two probes where the class says nothing.
	DefaultPeriod = 24 * time.Hour
	// holePeriod is the time between two probes while a hole is known: closing it shows soon.
	holePeriod = 10 * time.Minute
	// firstRetry and lastRetry bound the pause after a probe that could not be carried out. It doubles each time.
	firstRetry = time.Minute
	lastRetry  = time.Hour
)

// History is what is known of earlier probes.
type History struct {
	// Period is the class's time between two probes.
	Period time.Duration
	// Last is when the latest probe ended that came to a verdict, zero if none did.
	Last time.Time
	// Hole says that this verdict found one.
	Hole bool
	// SamePolicies says that the network policies are those that it was made under.
	SamePolicies bool
	// Failures counts the probes since then that came to no verdict; LastFailure is when the latest of them ended.
	Failures    int32
	LastFailure time.Time
}

// NextProbe is when the next probe is due; a time in the past means now. The UID spreads a fleet: a tenant's probes
// come at the same time of every period, another tenant's at another.
func NextProbe(h History, uid string) time.Time {
	switch {
	case h.Failures > 0:
		return h.LastFailure.Add(pause(h.Failures))
	case h.Last.IsZero() || !h.SamePolicies:
		return time.Time{}
	case h.Hole:
		return h.Last.Add(min(holePeriod, h.Period))
	}
	return slotAfter(h.Last, h.Period, uid)
}

func pause(failures int32) time.Duration {
	wait := firstRetry
	for range min(failures-1, 10) {
		wait *= 2
	}
	return min(wait, lastRetry)
}

// slotAfter is the first of the tenant's slots that is at least half a period after the last probe, so that no more
// than one and a half periods pass between two probes.
func slotAfter(last time.Time, period time.Duration, uid string) time.Time {
	sum := sha256.Sum256([]byte(uid))
	offset := time.Duration(binary.BigEndian.Uint32(sum[:])) * time.Second % period
	earliest := last.Add(period / 2)
	slot := earliest.Truncate(period).Add(offset)
	if slot.Before(earliest) {
		slot = slot.Add(period)
	}
	return slot
}

// Round counts periods, for Choose: all tenants of one period are in the same round.
func Round(now time.Time, period time.Duration) int64 { return now.Unix() / int64(period/time.Second) }
