// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"sync"

	"github.com/chattenant/chattenant/api/egressconfig"
)

// session is one connection to a recipient, from the decision on its endpoint to its end.
type session struct {
	recipient string
	endpoint  egressconfig.Endpoint
	traffic   *traffic
	cancel    context.CancelCauseFunc
}

// sessions are all connections that there are, by recipient.
type sessions struct {
	metrics *Metrics

	mu          sync.Mutex
	total       int32
	byRecipient map[string]map[*session]struct{}
}

func newSessions(metrics *Metrics) *sessions {
	return &sessions{metrics: metrics, byRecipient: map[string]map[*session]struct{}{}}
}

// join registers a connection unless a limit is reached, which is then the reason.
func (r *sessions) join(s *session, limits egressconfig.Limits) (egressconfig.Reason, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.total >= limits.MaxConnections {
		return egressconfig.ReasonTotalLimit, false
	}
	live := r.byRecipient[s.recipient]
	if len(live) >= int(limits.MaxConnectionsPerRecipient) {
		return egressconfig.ReasonRecipientLimit, false
	}
	if live == nil {
		live = map[*session]struct{}{}
		r.byRecipient[s.recipient] = live
	}
	live[s] = struct{}{}
	r.total++
	s.traffic = r.metrics.traffic(s.recipient)
	s.traffic.active.Inc()
	return "", true
}

// leave ends a session's registration. The last one of a recipient that is not declared takes its series along.
func (r *sessions) leave(s *session, declared map[string]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	live := r.byRecipient[s.recipient]
	delete(live, s)
	r.total--
	s.traffic.active.Dec()
	r.forget(s.recipient, declared)
}

// withdraw cuts the sessions that lost their ground and returns how many.
func (r *sessions) withdraw(lost func(*session) bool) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	cut := 0
	for _, live := range r.byRecipient {
		for s := range live {
			if lost(s) {
				s.cancel(errWithdrawn)
				cut++
			}
		}
	}
	return cut
}

// forgetIdle drops the series of recipients that are neither declared nor connected.
func (r *sessions) forgetIdle(declared map[string]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name := range r.byRecipient {
		r.forget(name, declared)
	}
}

func (r *sessions) forget(recipient string, declared map[string]bool) {
	if len(r.byRecipient[recipient]) == 0 && !declared[recipient] {
		delete(r.byRecipient, recipient)
		r.metrics.forget(recipient)
	}
}
