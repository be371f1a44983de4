// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"

	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
)

// open answers an open frame of p.
func (s *Server) open(ctx context.Context, p identity.Principal, f *protocol.Open) protocol.Frame {
	if err := f.Validate(); err != nil {
		return refuse(violation(err.Error()), f.ClientID)
	}
	if err := s.limits.messages(p).take(p.ID); err != nil {
		return refuse(err, f.ClientID)
	}
	return s.config.Engine.Open(ctx, p, f)
}

// submit has an event of p committed. reply is called exactly once and must not block.
func (s *Server) submit(p identity.Principal, f protocol.Submission, reply func(protocol.Frame)) {
	clientID := f.Entry().ClientID
	if err := f.Validate(); err != nil {
		reply(refuse(violation(err.Error()), clientID))
		return
	}
	if err := s.limits.messages(p).take(p.ID); err != nil {
		reply(refuse(err, clientID))
		return
	}
	s.config.Engine.Submit(p, f, reply)
}
