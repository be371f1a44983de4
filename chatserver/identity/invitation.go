// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"context"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
)

// Invite makes an account for an address if there is none, and a single-use token that sets its password. Redeeming the
// invitation of an existing account resets its password.
func (s *Service) Invite(ctx context.Context, email, displayName redacted.String) (redacted.String, error) {
	agent, err := s.store.EnsureAgent(ctx, NormaliseEmail(email), displayName)
	if err != nil {
		return redacted.String{}, err
	}
	token := newToken()
	if err := s.store.CreateInvitation(ctx, agent.ID, token.hash, InvitationTTL); err != nil {
		return redacted.String{}, err
	}
	return token.text, nil
}

// Redeemed is what became of an invitation.
type Redeemed struct {
	Agent Principal
	// Cookie proves the new session.
	Cookie redacted.String
	// Ended are the sessions the account had before.
	Ended []uuid.UUID
}

// Redeem sets the password of an invited account and signs it in. It reports ErrPassword, ErrUnauthenticated or
// ErrBusy.
func (s *Service) Redeem(ctx context.Context, text, password redacted.String) (Redeemed, error) {
	if n := utf8.RuneCountInString(password.Reveal()); n < protocol.MinPassword || n > protocol.MaxPassword {
		return Redeemed{}, ErrPassword
	}
	token, err := parseToken(text)
	if err != nil {
		return Redeemed{}, err
	}
	// Asked first, so that made-up tokens cost no hashing. The token cannot be guessed, so the difference tells nothing.
	exists, err := s.store.InvitationExists(ctx, token.hash)
	if err != nil {
		return Redeemed{}, err
	}
	if !exists {
		return Redeemed{}, ErrUnauthenticated
	}
	hash, err := s.hasher.Hash(ctx, password)
	if err != nil {
		return Redeemed{}, err
	}
	agent, ended, err := s.store.RedeemInvitation(ctx, token.hash, hash)
	if err != nil {
		return Redeemed{}, hideNotFound(err)
	}
	p, cookie, err := s.startSession(ctx, agent)
	return Redeemed{Agent: p, Cookie: cookie, Ended: ended}, err
}
