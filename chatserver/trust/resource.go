// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"time"
)

// resource is something to be sent, with a tag by which a client knows that it has it already.
type resource struct {
	kind string
	data []byte
	tag  string
}

func newResource(kind string, data []byte) resource {
	return resource{kind: kind, data: data, tag: fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(data)))}
}

func (s resource) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", s.kind)
	w.Header().Set("ETag", s.tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.data))
}
