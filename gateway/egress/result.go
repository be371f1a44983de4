// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress

import "github.com/chattenant/chattenant/api/egressconfig"

// Result says how a connection was decided: one of the below, or a [egressconfig.Reason]. It is a metric label and part
// of the log line: see docs/gateway.md.
type Result string

// Results besides the reasons that clients are told.
const (
	// ResultRelayed means that the connection was passed on to its recipient and ended by itself.
	ResultRelayed Result = "Relayed"
	// ResultCut means that it was passed on and then cut, because it was declared no longer or the gateway ended.
	ResultCut Result = "Cut"
	// ResultClientRefused means that the client did not show the chat server's certificate, or spoke no TLS 1.3.
	ResultClientRefused Result = "ClientRefused"
	// ResultRequestTimeout means that the client's handshake and CONNECT were not complete in time.
	ResultRequestTimeout Result = "RequestTimeout"
	// ResultClientGone means that the client left before its connection was decided.
	ResultClientGone Result = "ClientGone"
	// ResultOverflow means that too many clients at once had not said yet what they want.
	ResultOverflow Result = "Overflow"
)

func results() []Result {
	all := []Result{
		ResultRelayed, ResultCut, ResultClientRefused, ResultRequestTimeout, ResultClientGone, ResultOverflow,
	}
	for _, reason := range egressconfig.Reasons() {
		all = append(all, Result(reason))
	}
	return all
}
