// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package prober

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
)

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
