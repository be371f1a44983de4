// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"errors"

	"github.com/chattenant/chattenant/gateway/hello"
)

// Result says how an accepted connection was decided. It is a metric label: see docs/gateway.md.
type Result string

// Results of a connection.
const (
	// ResultRouted means that the tenant's chat server took the connection.
	ResultRouted Result = "routed"
	// ResultUnknownName means that no tenant claims the server name.
	ResultUnknownName Result = "unknown_name"
	// ResultNoName means that the ClientHello carries no DNS name in the clear.
	ResultNoName Result = "no_name"
	// ResultHandshakeTimeout means that the ClientHello was not complete in time.
	ResultHandshakeTimeout Result = "handshake_timeout"
	// ResultNotTLS means that the first bytes are no acceptable ClientHello.
	ResultNotTLS Result = "not_tls"
	// ResultClientGone means that the client left before its ClientHello was complete, as TCP health checks do.
	ResultClientGone Result = "client_gone"
	// ResultSourceLimit means that the client's address has its full share of connections.
	ResultSourceLimit Result = "source_limit"
	// ResultTenantLimit means that the tenant has its full share of connections.
	ResultTenantLimit Result = "tenant_limit"
	// ResultTotalLimit means that the gateway is full.
	ResultTotalLimit Result = "total_limit"
	// ResultUpstreamUnavailable means that the tenant's chat server could not be reached.
	ResultUpstreamUnavailable Result = "upstream_unavailable"
)

func results() []Result {
	return []Result{
		ResultRouted, ResultUnknownName, ResultNoName, ResultHandshakeTimeout, ResultNotTLS, ResultClientGone,
		ResultSourceLimit, ResultTenantLimit, ResultTotalLimit, ResultUpstreamUnavailable,
	}
}

// TLS alert descriptions, RFC 8446 section 6.
const (
	alertInternalError    = 80
	alertMissingExtension = 109
	alertUnrecognizedName = 112
)

// alert is the fatal TLS alert that tells the client why it is turned away. Clients that did not speak TLS, or for
// which nothing was read, get none: a reply would only help a scanner.
func (r Result) alert() (description byte, ok bool) {
	switch r {
	case ResultUnknownName:
		return alertUnrecognizedName, true
	case ResultNoName:
		return alertMissingExtension, true
	case ResultTenantLimit, ResultUpstreamUnavailable:
		return alertInternalError, true
	case ResultRouted, ResultHandshakeTimeout, ResultNotTLS, ResultClientGone, ResultSourceLimit, ResultTotalLimit:
		return 0, false
	default:
		return 0, false
	}
}

// resultOf names a ClientHello that did not come.
func resultOf(err error) Result {
	switch {
	case errors.Is(err, hello.ErrNotTLS):
		return ResultNotTLS
	case errors.Is(err, hello.ErrTimeout):
		return ResultHandshakeTimeout
	default:
		return ResultClientGone
	}
}
