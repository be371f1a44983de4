// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package prober

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
)

func TestAPodWithoutIPv6ReachesNothingByIt(t *testing.T) {
	for address, want := range map[string]Outcome{
		"[2001:7fd::1]:53": OutcomeUnreachable, "[::ffff:193.0.14.129]:53": OutcomeFailed, "193.0.14.129:53": OutcomeFailed,
	} {
		to := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))
		for _, errno := range []error{syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT} {
			if got := outcomeOf(&net.OpError{Op: "dial", Addr: to, Err: errno}); got != want {
				t.Errorf("%s: %v is %s, want %s", address, errno, got, want)
			}
		}
	}
}

func TestErrorsOfTheSystemBecomeOutcomes(t *testing.T) {
	tests := map[error]Outcome{
		syscall.ECONNREFUSED:                     OutcomeRefused,
		syscall.ECONNRESET:                       OutcomeRefused,
		syscall.EHOSTUNREACH:                     OutcomeUnreachable,
		syscall.ENETUNREACH:                      OutcomeUnreachable,
		syscall.EPERM:                            OutcomeUnreachable,
		syscall.ETIMEDOUT:                        OutcomeTimeout,
		os.ErrDeadlineExceeded:                   OutcomeTimeout,
		context.DeadlineExceeded:                 OutcomeTimeout,
		errors.New("something else"):             OutcomeFailed,
		&net.DNSError{Err: "x", IsTimeout: true}: OutcomeUnresolved,
	}
	for err, want := range tests {
		if got := outcomeOf(&net.OpError{Op: "dial", Err: err}); got != want {
			t.Errorf("outcomeOf(%v) = %s, want %s", err, got, want)
		}
	}
}
