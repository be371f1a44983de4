// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/identity"
)

// PresenceInterval is how often changes are told at most.
const PresenceInterval = presenceInterval

// Caches tells whether anything of a conversation is kept in memory.
func (e *Engine) Caches(conversation uuid.UUID) bool {
	return e.history.Load().recent.last(conversation) > 0
}

// Subscriptions counts those of p's own.
func (e *Engine) Subscriptions(p identity.Principal) int { return e.hub.count(p) }
