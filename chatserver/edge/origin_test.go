// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
)

func TestOnlyTheEndpointsOwnOriginMaySpeak(t *testing.T) {
	r := servertest.Start(t, storetest.New(t))
	token := newVisitor(t, r)
	origins := map[string]struct {
		origin []string
		want   int
	}{
		"own":                {[]string{servertest.Endpoint}, http.StatusCreated},
		"foreign":            {[]string{"https://evil.example"}, http.StatusForbidden},
		"null":               {[]string{"null"}, http.StatusForbidden},
		"missing":            {nil, http.StatusForbidden},
		"empty":              {[]string{""}, http.StatusForbidden},
		"suffix":             {[]string{servertest.Endpoint + ".evil.example"}, http.StatusForbidden},
		"prefix":             {[]string{"https://evil-acme.localhost:8443"}, http.StatusForbidden},
		"subdomain":          {[]string{"https://x.acme.localhost:8443"}, http.StatusForbidden},
		"other port":         {[]string{"https://acme.localhost:8444"}, http.StatusForbidden},
		"no port":            {[]string{"https://acme.localhost"}, http.StatusForbidden},
		"plain http":         {[]string{"http://acme.localhost:8443"}, http.StatusForbidden},
		"with path":          {[]string{servertest.Endpoint + "/"}, http.StatusForbidden},
		"with userinfo":      {[]string{"https://acme.localhost:8443@evil.example"}, http.StatusForbidden},
		"two headers":        {[]string{servertest.Endpoint, "https://evil.example"}, http.StatusForbidden},
		"framing site's own": {[]string{"https://www.acme.example"}, http.StatusForbidden},
	}
	for name, test := range origins {
		t.Run(name, func(t *testing.T) {
			header := http.Header{"Origin": test.origin}
			response, code := call(t, r, http.MethodPost, "/api/v1/visitor/session", `{}`, header)
			if response.StatusCode != test.want {
				t.Errorf("POST answers %s %s, want %d", response.Status, code, test.want)
			}
			w, status := handshake(t, r, header)
			if opened := w != nil; opened != (test.want == http.StatusCreated) {
				t.Errorf("handshake answers %s", status)
			}
			want := protocol.Code("")
			if test.want != http.StatusCreated {
				want = protocol.Forbidden
			}
			stream := openStream(t, r, r.Dial, header)
			stream.say(`{"type":"hello","protocol":1,"token":"` + token + `"}`)
			var refused *refusal
			if _, err := stream.read(); (err != nil || want != "") && (!errors.As(err, &refused) || refused.code != want) {
				t.Errorf("a stream answers %v", err)
			}
			posted := http.Header{"Origin": test.origin, "Authorization": {"Bearer " + token}}
			if _, code := post(t, r, posted, `{"type":"ping"}`); code != want {
				t.Errorf("a post of frames answers %q", code)
			}
		})
	}
}

func TestOtherHostsAndNamesAreRefused(t *testing.T) {
	r := servertest.Start(t, storetest.New(t))
	for _, host := range []string{"evil.example", "acme.localhost.evil.example", "127.0.0.1", "acme.localhost."} {
		header := http.Header{"Host": {host}, "Origin": {"https://" + host}}
		if response, code := call(t, r, http.MethodGet, "/api/v1/info", "", header); code != protocol.Forbidden {
			t.Errorf("Host %q answers %s %s", host, response.Status, code)
		}
	}
}
