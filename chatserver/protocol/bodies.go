// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"github.com/google/uuid"
)

// Info is what the panel shows before the first word.
type Info struct {
	Protocol    int    `json:"protocol"`
	DisplayName string `json:"displayName"`
	PolicyURL   string `json:"policyURL"`
	Region      Region `json:"region"`
	// Available says whether any agent is online.
	Available bool `json:"available"`
}

// Region says where the data is kept.
type Region struct {
	Name         string `json:"name"`
	DisplayName  string `json:"displayName"`
	Jurisdiction string `json:"jurisdiction"`
}

// VisitorSessionRequest asks for an anonymous visitor. It has no field yet, and refuses all.
type VisitorSessionRequest struct{}

// VisitorSession is a new visitor with the token that proves to be them.
type VisitorSession struct {
	Visitor   uuid.UUID `json:"visitor"`
	Token     Text      `json:"token"`
	ExpiresAt Time      `json:"expiresAt"`
}

// SignInRequest carries an agent's credentials.
type SignInRequest struct {
	Email    Text `json:"email"`
	Password Text `json:"password"`
}

// InvitationRequest redeems an invitation.
type InvitationRequest struct {
	Token    Text `json:"token"`
	Password Text `json:"password"`
}

// AgentSession says who is signed in.
type AgentSession struct {
	Agent       uuid.UUID `json:"agent"`
	DisplayName Text      `json:"displayName"`
}

// ErrorBody is the body of every HTTP error.
type ErrorBody struct {
	Error ErrorDetail `json:"error"`
}

// ErrorDetail says what went wrong.
type ErrorDetail struct {
	Code         Code   `json:"code"`
	Message      string `json:"message"`
	RetryAfterMs int64  `json:"retryAfterMs"`
}
