// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package trial

import (
	"context"
	"fmt"

	"github.com/chattenant/chattenant/hack/bench/chat/target"
)

// Audit compares what was acknowledged with what the database holds, message by message, and returns how many there
// are. Of a server elsewhere it knows nothing.
func (s *Session) Audit(ctx context.Context) (int, error) {
	local, ok := s.target.(target.Local)
	if !ok {
		return 0, nil
	}
	kept, err := s.plan.Database.Texts(ctx, local.Kept())
	if err != nil {
		return 0, err
	}
	acked := map[int64]struct{}{}
	for _, ledger := range s.ledgers {
		ledger.AckedNumbers(func(n int64) { acked[n] = struct{}{} })
	}
	return len(kept), compare(acked, kept)
}

// compare wants each acknowledged message once and nothing else.
func compare(acked map[int64]struct{}, kept []string) error {
	seen := make(map[int64]struct{}, len(kept))
	unpromised, twice := 0, 0
	for _, id := range kept {
		n, err := target.Number(id)
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		if _, ok := seen[n]; ok {
			twice++
		}
		seen[n] = struct{}{}
		if _, ok := acked[n]; !ok {
			unpromised++
		}
	}
	lost := 0
	for n := range acked {
		if _, ok := seen[n]; !ok {
			lost++
		}
	}
	if lost+unpromised+twice > 0 {
		return fmt.Errorf("audit: %d messages acknowledged, %d rows: %d acknowledged but not kept, %d kept but not "+
			"acknowledged, %d kept twice", len(acked), len(kept), lost, unpromised, twice)
	}
	return nil
}
