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

// api answers requests with a body of at most so many bytes.
func (s *Server) api(body int64, h handlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, body)
		if err := guard(w, r, h); err != nil {
			writeError(w, s.answerTo(err))
		}
	})
}

func guard(w http.ResponseWriter, r *http.Request, h handlerFunc) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if err := requireOwnOrigin(r); err != nil {
			return err
		}
	}
	return h(w, r)
}

// readBody decodes a JSON body strictly into v.
func readBody(r *http.Request, v any) error {
	data, err := readJSON(r)
	if err != nil {
		return err
	}
	if protocol.DecodeStrict(data, v) != nil {
		return violation("the body is not what this request takes")
	}
	return nil
}

// readJSON reads a body that says it is JSON.
func readJSON(r *http.Request) ([]byte, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return nil, violation("the body must be application/json")
	}
	data, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &apiError{code: protocol.TooLarge, message: "the body is too large"}
	case err != nil:
		return nil, violation("the body could not be read")
	}
	return data, nil
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
