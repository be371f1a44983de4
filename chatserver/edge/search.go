// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"errors"
	"net/http"

	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/search"
)

// Search is what the edge needs of the search.
type Search interface {
	Search(ctx context.Context, p identity.Principal, request *protocol.SearchRequest) (protocol.SearchAnswer, error)
}

// search looks for conversations. Who may is decided before anything is said about what was asked.
func (s *Server) search(w http.ResponseWriter, r *http.Request) error {
	token, err := bearerOf(r)
	if err != nil {
		return err
	}
	p, err := s.identify(r.Context(), token, cookieOf(r))
	if err != nil {
		return err
	}
	if !p.May(identity.SearchConversations, p.ID) {
		return &apiError{code: protocol.Forbidden, message: search.ErrForbidden.Error()}
	}
	var request protocol.SearchRequest
	if err := readBody(r, &request); err != nil {
		return err
	}
	if err := request.Validate(); err != nil {
		return violation(err.Error())
	}
	if err := s.limits.searches.take(p.ID); err != nil {
		return err
	}
	answer, err := s.config.Search.Search(r.Context(), p, &request)
	if err != nil {
		return refuseSearch(err)
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

func refuseSearch(err error) error {
	switch {
	case errors.Is(err, search.ErrForbidden):
		return &apiError{code: protocol.Forbidden, message: search.ErrForbidden.Error()}
	case errors.Is(err, search.ErrNoWords):
		return violation(search.ErrNoWords.Error())
	case errors.Is(err, protocol.ErrMalformed):
		return violation("before: want what an earlier answer had")
	default:
		return err
	}
}
