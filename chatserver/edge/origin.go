// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"net"
	"net/http"
	"strings"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// checkHost refuses requests for any other name: a page of another name that resolves here must not count as ours.
func (s *Server) checkHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.EqualFold(hostname(r.Host), s.config.Host) {
			writeError(w, &apiError{code: protocol.Forbidden, message: "this server does not answer for that host"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}

// requireOwnOrigin refuses what another site's page could make a browser send. The browser itself tells where it
// reached us in Host, port included, and checkHost has checked the name.
func requireOwnOrigin(r *http.Request) error {
	origins := r.Header.Values("Origin")
	if len(origins) != 1 || !strings.EqualFold(origins[0], "https://"+r.Host) {
		return &apiError{code: protocol.Forbidden, message: "the Origin must be this server's own"}
	}
	return nil
}
