// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/conversation"
	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/store"
)

// apiError is an answer to the client. Its message never quotes what the client sent.
type apiError struct {
	code       protocol.Code
	message    string
	retryAfter time.Duration
}

func (e *apiError) Error() string { return string(e.code) + ": " + e.message }

const (
	retryUnavailable = 2 * time.Second
	retryBusy        = time.Second
	retryInternal    = 5 * time.Second
	retryLocked      = 30 * time.Second
)

// answerTo turns an error into what the client is told. Errors nobody expected are logged under a reference.
func (s *Server) answerTo(err error) *apiError {
	var known *apiError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, identity.ErrUnauthenticated):
		return &apiError{code: protocol.Unauthenticated, message: "the credentials are not valid or no longer valid"}
	case errors.Is(err, identity.ErrPassword):
		return &apiError{code: protocol.InvalidRequest, message: identity.ErrPassword.Error()}
	case errors.Is(err, identity.ErrBusy):
		return &apiError{code: protocol.RateLimited, message: "too many sign-ins at once", retryAfter: retryBusy}
	case errors.Is(err, conversation.ErrTooManySockets):
		return &apiError{code: protocol.RateLimited, message: "too many connections", retryAfter: retryInternal}
	case errors.Is(err, context.Canceled):
		return &apiError{code: protocol.Unavailable, message: "the request was given up", retryAfter: retryUnavailable}
	case errors.Is(err, store.ErrLocked):
		return &apiError{code: protocol.Unavailable, message: "the keys are not available now", retryAfter: retryLocked}
	case store.IsRefusal(err):
		return s.internal(err)
	default:
		// What else goes wrong is the database being away.
		s.log.Error("Cannot answer a request", "err", err)
		return &apiError{code: protocol.Unavailable, message: "not available now", retryAfter: retryUnavailable}
	}
}

func (s *Server) internal(err error) *apiError {
	reference := uuid.NewString()
	s.log.Error("Internal error", "reference", reference, "err", err)
	return &apiError{code: protocol.Internal, message: "internal error " + reference, retryAfter: retryInternal}
}

func (e *apiError) frame() *protocol.Error {
	return &protocol.Error{Code: e.code, Message: e.message, RetryAfterMs: e.retryAfter.Milliseconds()}
}

func writeError(w http.ResponseWriter, e *apiError) {
	if e.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.retryAfter.Seconds()))))
	}
	writeJSON(w, e.code.HTTPStatus(), protocol.ErrorBody{Error: protocol.ErrorDetail{
		Code: e.code, Message: e.message, RetryAfterMs: e.retryAfter.Milliseconds(),
	}})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The client is gone if this fails.
	_ = json.NewEncoder(w).Encode(body)
}

// panicked logs a fault of ours. What was panicked with may contain anything, so only its type and the stack are kept.
func (s *Server) panicked(v any) *apiError {
	reference := uuid.NewString()
	s.log.Error("Panic", "reference", reference, "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
	return &apiError{code: protocol.Internal, message: "internal error " + reference, retryAfter: retryInternal}
}

// refuse answers one frame of a client, named by its client id if it has one.
func refuse(err error, clientID uuid.UUID) protocol.Frame {
	var known *apiError
	if !errors.As(err, &known) {
		known = &apiError{code: protocol.Internal, message: "internal error", retryAfter: retryInternal}
	}
	frame := known.frame()
	if clientID != uuid.Nil {
		frame.ClientID = &clientID
	}
	return frame
}

// gone says that the connection ended: there is nobody to answer.
type gone struct{ error }

func (g *gone) Unwrap() error { return g.error }

func isGone(err error) bool {
	var g *gone
	return errors.As(err, &g)
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
