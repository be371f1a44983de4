// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package failure holds what the helper says when it fails: which kind of failure it is, and one line that names the
// cause and what to do. No line quotes what was sent, a token or a keyset, nor anybody who was sent it.
package failure

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"unicode"

	"github.com/chattenant/chattenant/api/kmshelper"
	"github.com/chattenant/chattenant/chatserver/egress"
)

// Error is a failure.
type Error struct {
	// Status is the program's exit status.
	Status int
	text   string
}

func (e *Error) Error() string { return e.text }

// Temporary is a failure that may be gone the next time, also because somebody mended it.
func Temporary(format string, args ...any) *Error {
	return &Error{kmshelper.ExitFailed, fmt.Sprintf(format, args...)}
}

// Refused says that the key does not open a ciphertext.
func Refused(format string, args ...any) *Error {
	return &Error{kmshelper.ExitRefused, fmt.Sprintf(format, args...)}
}

// Unusable is a failure that no further try mends.
func Unusable(format string, args ...any) *Error {
	return &Error{kmshelper.ExitUnusable, fmt.Sprintf(format, args...)}
}

// ErrForeign says that somebody wanted to reach a host that has nothing to do with the key.
var ErrForeign = errors.New("none of the hosts that this key takes")

// Cause says why a service could not be reached, if it is one of the causes whose text is known to hold addresses and
// names only.
func Cause(err error) (text string, known bool) {
	var dns *net.DNSError
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	var denied *egress.DeniedError
	switch {
	case errors.As(err, &denied):
		return denied.Error(), true
	case errors.Is(err, egress.ErrGatewayUnavailable):
		return err.Error(), true
	case errors.Is(err, ErrForeign):
		return ErrForeign.Error(), true
	case errors.As(err, &dns):
		return dns.Error(), true
	case errors.As(err, &certificate):
		return certificate.Error(), true
	case errors.As(err, &op):
		return op.Error(), true
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time", true
	default:
		return "", false
	}
}

// Words are what a service says about a decryption, on one line and no more than belongs into a log. What it says about
// an encryption might quote the keyset: that is never passed on.
func Words(operation kmshelper.Operation, text string) string {
	const most = 200
	if operation != kmshelper.Decrypt {
		return ""
	}
	unfit := func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }
	line := strings.Join(strings.FieldsFunc(text, unfit), " ")
	if line == "" {
		return ""
	}
	return ": " + strings.ToValidUTF8(line[:min(len(line), most)], "")
}
