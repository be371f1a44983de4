// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress

import "github.com/chattenant/chattenant/api/egressconfig"

// DeniedError is the gateway's refusal to connect.
type DeniedError struct {
	// Target is the host:port that was asked for.
	Target string
	Reason egressconfig.Reason
}

// Error says what the administrator can do.
func (e *DeniedError) Error() string {
	return "egress to " + e.Target + " refused (" + string(e.Reason) + "): " + advice(e.Reason)
}

// Temporary says whether the same request may succeed later without anybody's doing.
func (e *DeniedError) Temporary() bool {
	switch e.Reason {
	case egressconfig.ReasonTotalLimit, egressconfig.ReasonRecipientLimit, egressconfig.ReasonNotResolved,
		egressconfig.ReasonUnreachable, egressconfig.ReasonHelloTimeout:
		return true
	default:
		return false
	}
}

// advice is one sentence for each reason.
func advice(reason egressconfig.Reason) string {
	sentences := map[egressconfig.Reason]string{
		egressconfig.ReasonMethodNotAllowed: "chat server and gateway do not understand each other; run one release of both",
		egressconfig.ReasonMalformedRequest: "chat server and gateway do not understand each other; run one release of both",
		egressconfig.ReasonMalformedTarget:  "use a DNS name in lower case and a port; addresses cannot be reached",
		egressconfig.ReasonNotDeclared: "no recipient that is effective now has this host and port; declare it in a " +
			"SubProcessor, use that, and let its notice period end",
		egressconfig.ReasonTotalLimit:           "the gateway has as many connections as it may; try again later",
		egressconfig.ReasonRecipientLimit:       "this recipient has as many connections as it may; try again later",
		egressconfig.ReasonNotResolved:          "DNS gives no address for this host; check its name and the cluster's DNS",
		egressconfig.ReasonAddressRefused:       "the host has an address that is not public; ask the recipient why",
		egressconfig.ReasonNotTLS:               "only TLS from the first byte passes; use a port with TLS, not STARTTLS",
		egressconfig.ReasonHelloTimeout:         "the TLS handshake did not begin in time; try again later",
		egressconfig.ReasonServerNameMissing:    "the TLS handshake names no server; use the host's name",
		egressconfig.ReasonServerNameMismatch:   "the TLS handshake names another server; use the host's name",
		egressconfig.ReasonEncryptedClientHello: "the TLS handshake hides its server's name; switch that off",
		egressconfig.ReasonUnreachable:          "the recipient does not answer; check whether it is up, or try again later",
		egressconfig.ReasonWithdrawn:            "the recipient ceased to be effective meanwhile",
	}
	if sentence, known := sentences[reason]; known {
		return sentence
	}
	return "the gateway gives a reason that this release does not know; see the documentation of the gateway's"
}
