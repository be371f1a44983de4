// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package prober tries whether an address can be reached, and tells apart why not. It is what the isolation probe in
// each tenant and the tests' netprobe have in common.
package prober

import "context"

// try makes one attempt. It returns within ctx.
type try func(ctx context.Context, target Target) (Outcome, string)

var networks = map[string]try{"tcp": probeTCP, "tls": probeTLS, "udp": probeUDP, "dns": probeDNS}

// Try makes one attempt on a valid target, within its time-out, and says what came of it; the text is for people.
func Try(ctx context.Context, target Target) (Outcome, string) {
	ctx, cancel := context.WithTimeout(ctx, target.Timeout())
	defer cancel()
	return networks[target.Network](ctx, target)
}
