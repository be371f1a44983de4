// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// handlerFunc is a handler whose error becomes the answer.
type handlerFunc func(w http.ResponseWriter, r *http.Request) error

func (s *Server) api(h handlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.guard(r, w, h); err != nil {
			writeError(w, s.answerTo(err))
		}
	})
}

func (s *Server) guard(r *http.Request, w http.ResponseWriter, h handlerFunc) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if err := requireOwnOrigin(r); err != nil {
			return err
		}
	}
	r.Body = http.MaxBytesReader(w, r.Body, protocol.MaxBody)
	return h(w, r)
}

// readBody decodes a JSON body strictly into v.
func readBody(r *http.Request, v any) error {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return &apiError{code: protocol.InvalidRequest, message: "the body must be application/json"}
	}
	data, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return &apiError{code: protocol.TooLarge, message: "the body is too large"}
	case err != nil:
		return &apiError{code: protocol.InvalidRequest, message: "the body could not be read"}
	case protocol.DecodeStrict(data, v) != nil:
		return &apiError{code: protocol.InvalidRequest, message: "the body is not what this request takes"}
	}
	return nil
}

// recover turns a panic into an answer. The stack goes to the log, what was asked for does not.
func (s *Server) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			writeError(w, s.panicked(v))
		}()
		next.ServeHTTP(w, r)
	})
}
