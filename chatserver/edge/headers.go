// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"maps"
	"net/http"
	"strings"
)

// policies are the response headers of each kind of resource.
type policies struct {
	script, asset, widget, console, trust, api http.Header
}

// Parts of the content security policies. Pages load only what this server built, talk only to it, and put no text into
// the document as markup.
const (
	cspNothing = "default-src 'none'; base-uri 'none'; form-action 'none'; "
	cspPage    = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
		"connect-src 'self'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; " +
		"trusted-types 'none'; "
)

func newPolicies(allowedOrigins []string) policies {
	frame := "'none'"
	if len(allowedOrigins) > 0 {
		frame = strings.Join(allowedOrigins, " ")
	}
	return policies{
		// Other sites load the script, with an integrity check if they want one; that takes the two headers.
		script: headers(cspNothing+"frame-ancestors 'none'", map[string]string{
			"Cross-Origin-Resource-Policy": "cross-origin", "Access-Control-Allow-Origin": "*",
		}),
		asset:  headers(cspNothing+"frame-ancestors 'none'", nil),
		widget: headers(cspPage+"frame-ancestors "+frame, nil),
		console: headers(cspPage+"frame-ancestors 'none'", map[string]string{
			"X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin",
		}),
		// Whoever wants to check a tenant may, also from a page of their own; a copy is asked for anew each time.
		trust: headers(cspNothing+"frame-ancestors 'none'", map[string]string{
			"Cross-Origin-Resource-Policy": "cross-origin", "Access-Control-Allow-Origin": "*", "Cache-Control": "no-cache",
		}),
		api: headers(cspNothing+"frame-ancestors 'none'", map[string]string{"Cache-Control": "no-store"}),
	}
}

func headers(csp string, more map[string]string) http.Header {
	h := http.Header{}
	for name, value := range map[string]string{
		"Content-Security-Policy":      csp,
		"Cross-Origin-Resource-Policy": "same-origin",
		"Permissions-Policy":           "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
		"Referrer-Policy":              "no-referrer",
		"Strict-Transport-Security":    "max-age=31536000",
		"X-Content-Type-Options":       "nosniff",
	} {
		h.Set(name, value)
	}
	for name, value := range more {
		h.Set(name, value)
	}
	return h
}

// with sets headers on every response of next.
func with(headers http.Header, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		maps.Copy(w.Header(), headers.Clone())
		next.ServeHTTP(w, r)
	})
}
