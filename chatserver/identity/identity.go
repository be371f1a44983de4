// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package identity knows who is who: visitors by a resume token, agents by a password and a session cookie. Of tokens
// and cookies only hashes are stored, of passwords argon2id hashes, sealed like everything else.
package identity

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/searchtext"
	"github.com/chattenant/chattenant/chatserver/store"
)

var (
	// ErrUnauthenticated says that a token, cookie or password proves nothing. It never says why.
	ErrUnauthenticated = errors.New("not authenticated")
	// ErrPassword says that a new password is too short or too long.
	ErrPassword = errors.New("password: want 12 to 256 characters")
)

// How long proofs last.
const (
	VisitorTTL    = 30 * 24 * time.Hour
	SessionTTL    = 12 * time.Hour
	InvitationTTL = 72 * time.Hour
)

// Store is what identity needs of the database.
type Store interface {
	CreateVisitor(ctx context.Context, tokenHash [32]byte, ttl time.Duration) (store.Visitor, error)
	VisitorByToken(ctx context.Context, tokenHash [32]byte) (store.Visitor, error)
	EnsureAgent(ctx context.Context, email, displayName redacted.String) (store.Agent, error)
	AgentByEmail(ctx context.Context, email redacted.String) (store.Agent, error)
	CreateSession(ctx context.Context, agent store.Agent, tokenHash [32]byte, ttl time.Duration) (store.Session, error)
	SessionByToken(ctx context.Context, tokenHash [32]byte) (store.Session, error)
	EndSession(ctx context.Context, id uuid.UUID) error
	CreateInvitation(ctx context.Context, agent uuid.UUID, tokenHash [32]byte, ttl time.Duration) error
	InvitationExists(ctx context.Context, tokenHash [32]byte) (bool, error)
	RedeemInvitation(ctx context.Context, tokenHash [32]byte, passwordHash redacted.String) (
		store.Agent, []uuid.UUID, error)
}

// Service proves identities. Safe for concurrent use.
type Service struct {
	store  Store
	hasher *Hasher
}

// NewService makes a service on a store.
func NewService(s Store) (*Service, error) {
	hasher, err := NewHasher()
	if err != nil {
		return nil, err
	}
	return &Service{store: s, hasher: hasher}, nil
}

// NewVisitor makes an anonymous visitor and the token that proves to be them.
func (s *Service) NewVisitor(ctx context.Context) (Principal, redacted.String, error) {
	token := newToken()
	v, err := s.store.CreateVisitor(ctx, token.hash, VisitorTTL)
	if err != nil {
		return Principal{}, redacted.String{}, err
	}
	return visitorPrincipal(v), token.text, nil
}

// Visitor finds who a resume token belongs to, or reports ErrUnauthenticated.
func (s *Service) Visitor(ctx context.Context, text redacted.String) (Principal, error) {
	token, err := parseToken(text)
	if err != nil {
		return Principal{}, err
	}
	v, err := s.store.VisitorByToken(ctx, token.hash)
	if err != nil {
		return Principal{}, hideNotFound(err)
	}
	return visitorPrincipal(v), nil
}

func visitorPrincipal(v store.Visitor) Principal {
	return Principal{Kind: protocol.Visitor, ID: v.ID, ExpiresAt: v.ExpiresAt}
}

// SignIn checks an agent's credentials and starts a session, whose cookie value it returns. Unknown accounts cost the
// same work as known ones. It reports ErrUnauthenticated or ErrBusy.
func (s *Service) SignIn(ctx context.Context, email, password redacted.String) (Principal, redacted.String, error) {
	agent, err := s.store.AgentByEmail(ctx, NormaliseEmail(email))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Principal{}, redacted.String{}, err
	}
	ok, err := s.hasher.Verify(ctx, agent.PasswordHash, password)
	if err != nil {
		return Principal{}, redacted.String{}, err
	}
	if !ok {
		return Principal{}, redacted.String{}, ErrUnauthenticated
	}
	return s.startSession(ctx, agent)
}

func (s *Service) startSession(ctx context.Context, agent store.Agent) (Principal, redacted.String, error) {
	token := newToken()
	session, err := s.store.CreateSession(ctx, agent, token.hash, SessionTTL)
	if err != nil {
		return Principal{}, redacted.String{}, err
	}
	return agentPrincipal(session), token.text, nil
}

// Agent finds who a session cookie belongs to, or reports ErrUnauthenticated.
func (s *Service) Agent(ctx context.Context, cookie redacted.String) (Principal, error) {
	token, err := parseToken(cookie)
	if err != nil {
		return Principal{}, err
	}
	session, err := s.store.SessionByToken(ctx, token.hash)
	if err != nil {
		return Principal{}, hideNotFound(err)
	}
	return agentPrincipal(session), nil
}

func agentPrincipal(session store.Session) Principal {
	return Principal{
		Kind: protocol.Agent, ID: session.Agent.ID, DisplayName: session.Agent.DisplayName,
		Session: session.ID, ExpiresAt: session.ExpiresAt,
	}
}

// SignOut ends an agent's session everywhere. The sockets of this replica are the caller's to close.
func (s *Service) SignOut(ctx context.Context, p Principal) error {
	return s.store.EndSession(ctx, p.Session)
}

// NormaliseEmail makes the spellings of an address that people take for the same one equal.
func NormaliseEmail(email redacted.String) redacted.String { return searchtext.Email(email) }

// hideNotFound turns the absence of a row into the answer every wrong proof gets.
func hideNotFound(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return ErrUnauthenticated
	}
	return err
}
