// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/chattenant/chattenant/chatserver/web"
)

func newSite(t *testing.T, files fstest.MapFS) *web.Site {
	t.Helper()
	site, err := web.NewSite(files)
	if err != nil {
		t.Fatal(err)
	}
	return site
}

func get(t *testing.T, site *web.Site, path string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	r.Header = header
	w := httptest.NewRecorder()
	site.ServeHTTP(w, r)
	return w
}

func TestFilesAreServedInTheBestEncodingWithTheRightHeaders(t *testing.T) {
	site := newSite(t, fstest.MapFS{
		"widget.js":             {Data: []byte("plain")},
		"widget.js.br":          {Data: []byte("brotli")},
		"widget.js.gz":          {Data: []byte("gzip")},
		"console/index.html":    {Data: []byte("page")},
		"assets/main-1a2b.css":  {Data: []byte("style")},
		"assets/main-1a2b.map":  {Data: []byte("source")},
		".gitkeep":              {},
		"assets/icon-3c4d.svg":  {Data: []byte("<svg/>")},
		"assets/.hidden-9.html": {Data: []byte("hidden")},
	})
	type answer struct {
		Status                  int
		Type, Encoding, Caching string
	}
	const html, js = "text/html; charset=utf-8", "text/javascript; charset=utf-8"
	const forever = "public, max-age=31536000, immutable"
	tests := map[string]struct {
		path, accept string
		want         answer
	}{
		"brotli preferred":        {"/widget.js", "gzip, deflate, br", answer{200, js, "br", "no-cache"}},
		"gzip only":               {"/widget.js", "gzip", answer{200, js, "gzip", "no-cache"}},
		"brotli refused":          {"/widget.js", "br;q=0, gzip;q=0.5", answer{200, js, "gzip", "no-cache"}},
		"no encoding":             {"/widget.js", "", answer{200, js, "", "no-cache"}},
		"page by directory":       {"/console/", "br", answer{200, html, "", "no-cache"}},
		"hashed asset":            {"/assets/main-1a2b.css", "", answer{200, "text/css; charset=utf-8", "", forever}},
		"compressed form by name": {"/widget.js.br", "", answer{404, "text/plain; charset=utf-8", "", ""}},
		"unknown type":            {"/assets/main-1a2b.map", "", answer{404, "text/plain; charset=utf-8", "", ""}},
		"hidden":                  {"/assets/.hidden-9.html", "", answer{404, "text/plain; charset=utf-8", "", ""}},
		"outside":                 {"/../go.mod", "", answer{404, "text/plain; charset=utf-8", "", ""}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := get(t, site, test.path, http.Header{"Accept-Encoding": {test.accept}})
			h := r.Header()
			got := answer{r.Code, h.Get("Content-Type"), h.Get("Content-Encoding"), h.Get("Cache-Control")}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestACurrentCopyIsNotSentAgain(t *testing.T) {
	site := newSite(t, fstest.MapFS{"widget/index.html": {Data: []byte("page")}})
	first := get(t, site, "/widget/", http.Header{})
	again := get(t, site, "/widget/", http.Header{"If-None-Match": {first.Header().Get("ETag")}})
	if again.Code != http.StatusNotModified {
		t.Errorf("status %d, want 304", again.Code)
	}
}

func TestWithoutBuiltAssetsThePageSaysWhatToDo(t *testing.T) {
	site := newSite(t, fstest.MapFS{".gitkeep": {}})
	w := get(t, site, "/widget.js", http.Header{})
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "make web") {
		t.Errorf("answer %d %q", w.Code, w.Body)
	}
}

func TestTheEmbeddedSiteLoads(t *testing.T) {
	if _, err := web.Built(); err != nil {
		t.Fatal(err)
	}
}
