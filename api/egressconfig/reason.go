// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egressconfig

// DeniedHeader names the reason in the answer to a CONNECT that is refused.
const DeniedHeader = "Chattenant-Egress-Denied"

// Reason says why the gateway refused. docs/gateway.md explains each.
type Reason string

// Reasons told in [DeniedHeader], before anything was connected.
const (
	// ReasonMethodNotAllowed means a request other than CONNECT over HTTP/1.1.
	ReasonMethodNotAllowed Reason = "MethodNotAllowed"
	// ReasonMalformedRequest means a CONNECT with a body, or with headers that are malformed or too large.
	ReasonMalformedRequest Reason = "MalformedRequest"
	// ReasonMalformedTarget means a target that is not host:port in the one form of [ParseEndpoint].
	ReasonMalformedTarget Reason = "MalformedTarget"
	// ReasonNotDeclared means that no effective recipient has this endpoint.
	ReasonNotDeclared Reason = "NotDeclared"
	// ReasonTotalLimit means that the gateway is full.
	ReasonTotalLimit Reason = "TotalLimit"
	// ReasonRecipientLimit means that the recipient has its full share of connections.
	ReasonRecipientLimit Reason = "RecipientLimit"
	// ReasonNotResolved means that DNS gave no address in time.
	ReasonNotResolved Reason = "NotResolved"
	// ReasonAddressRefused means that at least one of the host's addresses is not on the public internet.
	ReasonAddressRefused Reason = "AddressRefused"
)

// Reasons told by a TLS alert, after the answer to the CONNECT.
const (
	// ReasonNotTLS means that the first bytes are no acceptable ClientHello.
	ReasonNotTLS Reason = "NotTLS"
	// ReasonHelloTimeout means that the ClientHello was not complete in time.
	ReasonHelloTimeout Reason = "HelloTimeout"
	// ReasonServerNameMissing means a ClientHello without server name.
	ReasonServerNameMissing Reason = "ServerNameMissing"
	// ReasonServerNameMismatch means a server name other than the host that was asked for.
	ReasonServerNameMismatch Reason = "ServerNameMismatch"
	// ReasonEncryptedClientHello means a ClientHello that may hide another server name.
	ReasonEncryptedClientHello Reason = "EncryptedClientHello"
	// ReasonUnreachable means that none of the host's addresses could be connected to.
	ReasonUnreachable Reason = "Unreachable"
	// ReasonWithdrawn means that the endpoint ceased to be declared while the connection came about.
	ReasonWithdrawn Reason = "Withdrawn"
)

// Reasons are all there are, those of the header first.
func Reasons() []Reason {
	return append([]Reason{
		ReasonMethodNotAllowed, ReasonMalformedRequest, ReasonMalformedTarget, ReasonNotDeclared, ReasonTotalLimit,
		ReasonRecipientLimit, ReasonNotResolved, ReasonAddressRefused,
	}, alerted()...)
}

// alerted are told by alerts, in the order of their descriptions. New ones go to the end.
func alerted() []Reason {
	return []Reason{
		ReasonNotTLS, ReasonHelloTimeout, ReasonServerNameMissing, ReasonServerNameMismatch,
		ReasonEncryptedClientHello, ReasonUnreachable, ReasonWithdrawn,
	}
}

// firstAlert begins the alert descriptions for private use (RFC 8447): no TLS server sends them.
const firstAlert = 224

// Alert is the TLS alert description that tells a reason once the CONNECT has been answered, zero for the others.
func (r Reason) Alert() byte {
	for i, known := range alerted() {
		if r == known {
			return byte(firstAlert + i&0x1f)
		}
	}
	return 0
}

// ReasonOfAlert is the inverse of [Reason.Alert]. It answers false for the alerts of TLS itself.
func ReasonOfAlert(description byte) (Reason, bool) {
	known := alerted()
	i := int(description) - firstAlert
	if i < 0 || i >= len(known) {
		return "", false
	}
	return known[i], true
}
