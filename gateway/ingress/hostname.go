// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"net/netip"
	"strings"
)

const maxHostname = 253 // RFC 1035, without the trailing dot

// hostname folds a server name to the form routes are keyed by. It refuses what can be no tenant's name: an IP literal,
// a trailing dot, and anything outside ASCII, because Unicode folding would turn look-alikes (the Kelvin sign) into
// letters.
func hostname(serverName string) (string, bool) {
	if serverName == "" || len(serverName) > maxHostname || strings.HasSuffix(serverName, ".") {
		return "", false
	}
	folded := []byte(serverName)
	for i, c := range folded {
		switch {
		case c <= ' ' || c >= 0x7f:
			return "", false
		case 'A' <= c && c <= 'Z':
			folded[i] = c + ('a' - 'A')
		}
	}
	if _, err := netip.ParseAddr(strings.Trim(serverName, "[]")); err == nil {
		return "", false
	}
	return string(folded), true
}
