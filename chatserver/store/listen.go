// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Notification channels. Payloads carry ids only: the sending replica's, then those of what changed.
const (
	channelEvents   = "chattenant_events"
	channelSessions = "chattenant_sessions"
	channelReceipts = "chattenant_receipts"
	channelTyping   = "chattenant_typing"
	channelPresence = "chattenant_presence"
	channelKeys     = "chattenant_keys"
)

// Listener hears what other replicas do.
type Listener interface {
	// Connected is called whenever listening begins: whatever happened before went unheard.
	Connected(ctx context.Context)
	// ConversationsTouched is called with the conversations another replica opened or wrote to.
	ConversationsTouched(ctx context.Context, ids []uuid.UUID)
	// SessionsRevoked is called with the agent sessions another replica ended.
	SessionsRevoked(ctx context.Context, ids []uuid.UUID)
	// ReceiptsMoved is called with the conversations of which another replica stored receipts.
	ReceiptsMoved(ctx context.Context, ids []uuid.UUID)
	// Typing is called with those who began or stopped writing at another replica.
	Typing(ctx context.Context, typing []Typing)
	// PresenceMoved is called with those who came to another replica or left it; with nobody if everything moved.
	PresenceMoved(ctx context.Context, ids []uuid.UUID)
}

// Listen tells l what other replicas do until the connection breaks or ctx ends, and returns why.
func (s *Store) Listen(ctx context.Context, l Listener) error {
	conn, err := connectAlone(ctx, s.config.Database, sessionSettings)
	if err != nil {
		return err
	}
	defer closeConn(context.WithoutCancel(ctx), conn)
	if err := s.greet(ctx, conn); err != nil {
		return err
	}
	for _, channel := range []string{
		channelEvents, channelSessions, channelReceipts, channelTyping, channelPresence, channelKeys,
	} {
		if _, err := conn.Exec(ctx, `LISTEN `+channel); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
	}
	l.Connected(ctx)
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("wait for notification: %w", err)
		}
		s.dispatch(ctx, n.Channel, n.Payload, l)
	}
}

// closeConn says goodbye to the server; that it may fail does not matter, the connection is gone either way.
func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	_ = conn.Close(ctx)
}

func (s *Store) dispatch(ctx context.Context, channel, payload string, l Listener) {
	if channel == channelTyping {
		if sender, typing := parseTyping(payload); sender != s.replica && len(typing) > 0 {
			l.Typing(ctx, typing)
		}
		return
	}
	if channel == channelKeys {
		ring(s.keys.changed)
		return
	}
	sender, ids := parsePayload(payload)
	if sender == s.replica || len(ids) == 0 && channel != channelPresence {
		return
	}
	switch channel {
	case channelPresence:
		l.PresenceMoved(ctx, ids)
	case channelEvents:
		l.ConversationsTouched(ctx, ids)
	case channelSessions:
		l.SessionsRevoked(ctx, ids)
	case channelReceipts:
		l.ReceiptsMoved(ctx, ids)
	}
}

func (s *Store) payload(ids ...uuid.UUID) string {
	var b strings.Builder
	b.WriteString(s.replica.String())
	for _, id := range ids {
		b.WriteByte(' ')
		b.WriteString(id.String())
	}
	return b.String()
}

// parsePayload ignores what it cannot read: a lost notification is found by the slow poll.
func parsePayload(payload string) (sender uuid.UUID, ids []uuid.UUID) {
	for i, field := range strings.Fields(payload) {
		id, err := uuid.Parse(field)
		switch {
		case err != nil:
			return uuid.Nil, nil
		case i == 0:
			sender = id
		default:
			ids = append(ids, id)
		}
	}
	return sender, ids
}
