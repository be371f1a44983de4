// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// Outcome is what came of a try. The package comment explains each.
type Outcome string

// Outcomes.
const (
	OutcomeOpen            Outcome = "open"
	OutcomeAnswered        Outcome = "answered"
	OutcomeRefused         Outcome = "refused"
	OutcomeUnreachable     Outcome = "unreachable"
	OutcomeTimeout         Outcome = "timeout"
	OutcomeHandshakeFailed Outcome = "handshakeFailed"
	OutcomeUnresolved      Outcome = "unresolved"
	OutcomeFailed          Outcome = "failed"
)

func (o Outcome) known() bool {
	switch o {
	case OutcomeOpen, OutcomeAnswered, OutcomeRefused, OutcomeUnreachable, OutcomeTimeout, OutcomeHandshakeFailed,
		OutcomeUnresolved, OutcomeFailed:
		return true
	default:
		return false
	}
}

// outcomeOf tells apart why the network did not deliver. Linux reports ICMP "port unreachable" as ECONNREFUSED, like a
// reset, and every other ICMP rejection as an unreachable host or network.
func outcomeOf(err error) Outcome {
	var dns *net.DNSError
	var none *net.AddrError // a name without any address
	switch {
	case errors.As(err, &dns), errors.As(err, &none):
		return OutcomeUnresolved
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		return OutcomeRefused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EACCES),
		errors.Is(err, syscall.EPERM):
		return OutcomeUnreachable
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return OutcomeTimeout
	default:
		return timeoutOrFailed(err)
	}
}

// timeoutOrFailed catches the time-outs of dialling, which carry no error of the operating system.
func timeoutOrFailed(err error) Outcome {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return OutcomeTimeout
	}
	return OutcomeFailed
}
