// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/chatserver/store/storetest"
	"github.com/chattenant/chattenant/chatserver/web"
)

func TestPagesCarryStrictPoliciesAndOnlyTheWidgetMayBeFramed(t *testing.T) {
	site, err := web.NewSite(fstest.MapFS{
		"widget.js":          {Data: []byte("loader")},
		"widget/index.html":  {Data: []byte("panel")},
		"console/index.html": {Data: []byte("console")},
		"assets/a-1.js":      {Data: []byte("code")},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := servertest.Start(t, storetest.New(t), servertest.WithSite(site))
	framing := map[string]string{
		"/widget/": "frame-ancestors https://www.acme.example", "/console/": "frame-ancestors 'none'",
		"/widget.js": "frame-ancestors 'none'", "/assets/a-1.js": "frame-ancestors 'none'",
		"/api/v1/info": "frame-ancestors 'none'", "/nowhere": "frame-ancestors 'none'",
		"/trust.json": "frame-ancestors 'none'", "/trust.atom": "frame-ancestors 'none'",
		"/trust.schema.json": "frame-ancestors 'none'",
	}
	for path, want := range framing {
		response, _ := call(t, r, http.MethodGet, path, "", http.Header{"Origin": nil})
		h := response.Header
		policy := h.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") ||
			!strings.HasSuffix(strings.TrimSuffix(policy, ";"), want) {
			t.Errorf("%s: policy %q", path, policy)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" ||
			!strings.HasPrefix(h.Get("Strict-Transport-Security"), "max-age=") {
			t.Errorf("%s: headers %v", path, h)
		}
		forAll := path == "/widget.js" || strings.HasPrefix(path, "/trust.")
		if cors := h.Get("Access-Control-Allow-Origin"); (cors != "") != forAll {
			t.Errorf("%s: Access-Control-Allow-Origin %q", path, cors)
		}
	}
	if response, _ := call(t, r, http.MethodGet, "/console", "", nil); response.Header.Get("Location") != "/console/" {
		t.Errorf("/console answers %s to %q", response.Status, response.Header.Get("Location"))
	}
}

func TestInfoSaysWhatTheConfigurationSays(t *testing.T) {
	r := servertest.Start(t, storetest.New(t))
	response, _ := call(t, r, http.MethodGet, "/api/v1/info", "", http.Header{"Origin": nil})
	var got protocol.Info
	if err := json.Unmarshal(response.Body, &got); err != nil {
		t.Fatal(err)
	}
	want := protocol.Info{
		Protocol: 1, DisplayName: "Acme GmbH", PolicyURL: "https://www.acme.example/privacy",
		Region: protocol.Region{Name: "eu-central", DisplayName: "Frankfurt", Jurisdiction: "DE"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestUnknownPathsAndMethodsAnswerInTheProtocolsForm(t *testing.T) {
	r := servertest.Start(t, storetest.New(t))
	for _, request := range [][2]string{
		{http.MethodGet, "/"}, {http.MethodGet, "/api/v1/nothing"}, {http.MethodGet, "/api/v1/visitor/session"},
		{http.MethodPut, "/api/v1/agent/session"}, {http.MethodGet, "/.env"},
	} {
		response, code := call(t, r, request[0], request[1], "", nil)
		if response.StatusCode != http.StatusNotFound || code != protocol.NotFound {
			t.Errorf("%s %s answers %s %q", request[0], request[1], response.Status, code)
		}
	}
}

func TestWhatTheOperatorSaysAboutTheTenantIsPublic(t *testing.T) {
	r := servertest.Start(t, storetest.New(t))
	without, _ := call(t, r, http.MethodGet, "/trust.json", "", nil)
	if without.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without a document: %s", without.Status)
	}
	document := `{"version":1,"tenant":"acme","proofs":[]}`
	if err := os.WriteFile(r.Config.TrustFile, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	from := http.Header{"Origin": {"https://auditor.example"}}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		response, _ := call(t, r, http.MethodGet, "/trust.json", "", from)
		if response.StatusCode == http.StatusOK && string(response.Body) == document {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("served is %s %s", response.Status, response.Body)
		}
	}
}
