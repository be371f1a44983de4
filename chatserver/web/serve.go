// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"net/http"
	"path"
	"strings"
	"time"
)

// contentTypes of the files a site may have. Others are not served.
var contentTypes = map[string]string{
	".html":  "text/html; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".css":   "text/css; charset=utf-8",
	".svg":   "image/svg+xml",
	".png":   "image/png",
	".ico":   "image/x-icon",
	".woff2": "font/woff2",
	".txt":   "text/plain; charset=utf-8",
}

const (
	// cacheForever suits names that contain a hash of the content.
	cacheForever = "public, max-age=31536000, immutable"
	// cacheAsk makes browsers ask whether their copy is current.
	cacheAsk = "no-cache"
)

const notBuilt = "The web assets were not built: run make web.\n"

// ServeHTTP serves the file of the request's path.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(s.files) == 0 {
		w.Header().Set("Content-Type", contentTypes[".txt"])
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(notBuilt))
		return
	}
	f, ok := s.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	f.serve(w, r)
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	v := f.choose(r.Header.Get("Accept-Encoding"))
	h := w.Header()
	h.Set("Content-Type", contentTypes[path.Ext(f.name)])
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", v.etag)
	h.Set("Cache-Control", cacheAsk)
	if f.immutable {
		h.Set("Cache-Control", cacheForever)
	}
	if v.encoding != "" {
		h.Set("Content-Encoding", v.encoding)
	}
	// The tag, not the time, tells versions apart: a build has no meaningful time.
	http.ServeContent(w, r, f.name, time.Time{}, bytes.NewReader(v.content))
}

// choose picks the best variant the client takes. A file without its plain form does not exist, so there is one.
func (f *file) choose(accept string) *variant {
	for i := range f.variants {
		if v := &f.variants[i]; v.encoding == "" || accepts(accept, v.encoding) {
			return v
		}
	}
	return &f.variants[len(f.variants)-1]
}

// accepts reads an Accept-Encoding header as far as browsers use it: a name is taken unless its weight is zero.
func accepts(header, encoding string) bool {
	for item := range strings.SplitSeq(header, ",") {
		name, parameters, _ := strings.Cut(item, ";")
		if strings.EqualFold(strings.TrimSpace(name), encoding) {
			weight := strings.TrimSpace(parameters)
			return weight != "q=0" && weight != "q=0.0"
		}
	}
	return false
}
