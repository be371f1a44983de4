// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package prober

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// Outcome is what came of a try.
type Outcome string

// Outcomes.
const (
	// OutcomeOpen: connected (tcp), shaken hands (tls).
	OutcomeOpen Outcome = "open"
	// OutcomeAnswered: something came back (udp, dns).
	OutcomeAnswered Outcome = "answered"
	// OutcomeRefused: a reset, or an ICMP message that the port is unreachable, as a rejecting firewall sends.
	OutcomeRefused Outcome = "refused"
	// OutcomeUnreachable: no route, or an ICMP message that the host or network is unreachable or prohibited.
	OutcomeUnreachable Outcome = "unreachable"
	// OutcomeTimeout: nothing came back in time, as behind a dropping firewall.
	OutcomeTimeout Outcome = "timeout"
	// OutcomeHandshakeFailed: connected, but not by TLS (tls).
	OutcomeHandshakeFailed Outcome = "handshakeFailed"
	// OutcomeUnresolved: the address holds a name that does not resolve.
	OutcomeUnresolved Outcome = "unresolved"
	// OutcomeFailed: anything else.
	OutcomeFailed Outcome = "failed"
)

// Reached says whether a packet of the other end came back that no firewall sends.
func (o Outcome) Reached() bool {
	return o == OutcomeOpen || o == OutcomeAnswered || o == OutcomeHandshakeFailed
}

// Known says whether the outcome is one of those above.
func (o Outcome) Known() bool {
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
		errors.Is(err, syscall.EPERM), nothingToSpeakFrom(err):
		return OutcomeUnreachable
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return OutcomeTimeout
	default:
		return timeoutOrFailed(err)
	}
}

// nothingToSpeakFrom says whether a pod has no IPv6 address by which it could reach an IPv6 one. Of IPv4 the same error
// says that all ports are taken, which proves nothing.
func nothingToSpeakFrom(err error) bool {
	var attempt *net.OpError
	if !errors.As(err, &attempt) || attempt.Addr == nil {
		return false
	}
	to, parseErr := netip.ParseAddrPort(attempt.Addr.String())
	return parseErr == nil && to.Addr().Is6() && !to.Addr().Is4In6() &&
		(errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT))
}

// timeoutOrFailed catches the time-outs of dialling, which carry no error of the operating system.
func timeoutOrFailed(err error) Outcome {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return OutcomeTimeout
	}
	return OutcomeFailed
}
