// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"net/http"
	"time"

	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
)

// cookieName has the prefix that makes browsers insist on Secure, this host and the whole path.
const cookieName = "__Host-session"

func (s *Server) info(w http.ResponseWriter, _ *http.Request) error {
	info := s.config.Info
	info.Available = s.config.Engine.Available()
	writeJSON(w, http.StatusOK, info)
	return nil
}

func (s *Server) createVisitor(w http.ResponseWriter, r *http.Request) error {
	if err := readBody(r, &protocol.VisitorSessionRequest{}); err != nil {
		return err
	}
	if err := s.limits.visitorSessions.take(addressKey(r)); err != nil {
		return err
	}
	p, token, err := s.config.Identity.NewVisitor(r.Context())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, protocol.VisitorSession{
		Visitor: p.ID, Token: protocol.Text{String: token}, ExpiresAt: protocol.Time{Time: p.ExpiresAt},
	})
	return nil
}

func (s *Server) signIn(w http.ResponseWriter, r *http.Request) error {
	var body protocol.SignInRequest
	if err := readBody(r, &body); err != nil {
		return err
	}
	if err := s.limits.signIns.take(addressKey(r)); err != nil {
		return err
	}
	if err := s.limits.accounts.take(accountKey(body.Email.String)); err != nil {
		return err
	}
	p, cookie, err := s.config.Identity.SignIn(r.Context(), body.Email.String, body.Password.String)
	if err != nil {
		return err
	}
	s.welcomeAgent(w, p, cookie)
	return nil
}

func (s *Server) redeem(w http.ResponseWriter, r *http.Request) error {
	var body protocol.InvitationRequest
	if err := readBody(r, &body); err != nil {
		return err
	}
	if err := s.limits.signIns.take(addressKey(r)); err != nil {
		return err
	}
	redeemed, err := s.config.Identity.Redeem(r.Context(), body.Token.String, body.Password.String)
	if err != nil {
		return err
	}
	s.config.Engine.EndSessions(redeemed.Ended...)
	s.welcomeAgent(w, redeemed.Agent, redeemed.Cookie)
	return nil
}

func (s *Server) welcomeAgent(w http.ResponseWriter, p identity.Principal, cookie redacted.String) {
	http.SetCookie(w, sessionCookie(cookie.Reveal(), int(identity.SessionTTL/time.Second)))
	writeAgent(w, p)
}

func writeAgent(w http.ResponseWriter, p identity.Principal) {
	writeJSON(w, http.StatusOK, protocol.AgentSession{Agent: p.ID, DisplayName: protocol.Text{String: p.DisplayName}})
}

func sessionCookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: cookieName, Value: value, Path: "/", MaxAge: maxAge,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}

// cookieOf returns the session cookie's value, empty if there is none.
func cookieOf(r *http.Request) redacted.String {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return redacted.String{}
	}
	return redacted.New(cookie.Value)
}

func (s *Server) whoAmI(w http.ResponseWriter, r *http.Request) error {
	p, err := s.config.Identity.Agent(r.Context(), cookieOf(r))
	if err != nil {
		return err
	}
	writeAgent(w, p)
	return nil
}

func (s *Server) signOut(w http.ResponseWriter, r *http.Request) error {
	p, err := s.config.Identity.Agent(r.Context(), cookieOf(r))
	if err != nil {
		return err
	}
	if err := s.config.Identity.SignOut(r.Context(), p); err != nil {
		return err
	}
	s.config.Engine.EndSessions(p.Session)
	http.SetCookie(w, sessionCookie("", -1))
	w.WriteHeader(http.StatusNoContent)
	return nil
}
