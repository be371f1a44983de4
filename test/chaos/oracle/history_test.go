// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package oracle_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/test/chaos/oracle"
)

// restored has 4 messages acknowledged and read, of which a backup with the first 2 takes the last 2 away; then 1 more
// was acknowledged, in the place of the third.
func restored() *script {
	s := begin(2)
	mark := s.Mark()
	s.Acknowledged(s.next())
	s.Acknowledged(s.next())
	s.show(s.events...)
	s.replaceWith(2, mark)
	s.Acknowledged(s.next())
	return s
}

// replaceWith leaves the first messages in the database, which is then in another history.
func (s *script) replaceWith(rows int, mark *oracle.Mark) {
	s.Replaced(s.rows[:rows], mark)
	s.gone = s.rows[len(s.rows)-1]
	s.acks, s.events, s.rows = s.acks[:rows:rows], s.events[:rows:rows], s.rows[:rows:rows]
	s.epoch++
	s.acks = clones(s.acks, func(a *protocol.Ack) { a.Epoch = s.epoch })
	s.events = clones(s.events, func(e *protocol.Event) { e.Epoch = s.epoch })
}

func clones[T any](list []*T, change func(*T)) []*T {
	var out []*T
	for _, one := range list {
		clone := *one
		change(&clone)
		out = append(out, &clone)
	}
	return out
}

func (s *script) reset() {
	s.reader.Reset(&protocol.Reset{Conversation: s.conversation, Epoch: s.epoch})
}

func (s *script) behind() string { return s.reader.Behind([]uuid.UUID{s.conversation}) }

func TestARestoreTakesBackWhatCameAfterItsBackup(t *testing.T) {
	s := restored()
	if s.behind() == "" {
		t.Error("a reader that has what is gone is not missed")
	}
	s.reset()
	s.show(s.events...)
	s.Acknowledged(s.acks[1])
	s.audit()
	s.Refused(uuid.New(), "a message to what is gone was refused")
	s.AuditRefusals(map[uuid.UUID]bool{s.conversation: true})
	if v := s.Violations(); len(v) > 0 {
		t.Errorf("violations: %s", strings.Join(v, "\n"))
	}
	if complaint := s.behind() + s.Unanswered(); complaint != "" {
		t.Error(complaint)
	}
}

func TestWhatARestoreBringsBackIsDeletedNoMore(t *testing.T) {
	s := begin(1)
	mark := s.Mark()
	s.change(protocol.KindDeletion, "")
	s.replaceWith(1, mark)
	s.reader = s.NewLateReader("a late reader")
	s.show(s.events...)
	s.audit()
	if v := s.Violations(); len(v) > 0 {
		t.Errorf("violations: %s", strings.Join(v, "\n"))
	}
}

func TestAnAcknowledgementThatIsLateSaysNothingOfTheRestored(t *testing.T) {
	s := begin(1)
	mark := s.Mark()
	late := s.next()
	s.replaceWith(1, mark)
	s.Acknowledged(s.acks[0])
	s.Acknowledged(late)
	s.audit()
	if v := s.Violations(); len(v) > 0 || s.Unanswered() != "" {
		t.Errorf("violations: %s, %s", strings.Join(v, "\n"), s.Unanswered())
	}
}

func TestEveryBrokenPromiseOfARestoreIsNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		breaks func(*script)
		want   string
	}{
		"more is gone than may be": {func(s *script) { s.replaceWith(1, s.Mark()) }, "not in what took"},
		"a standby lacks something": {func(s *script) {
			s.replaceWith(2, nil)
		}, "not in what took"},
		"a standby lacks what is acknowledged late": {func(s *script) {
			late := s.next()
			s.replaceWith(3, nil)
			s.Acknowledged(late)
		}, "not in what took"},
		"nobody is reset":             {func(s *script) { s.show(s.events[2]) }, "shown seq 3 after 4"},
		"another epoch without reset": {func(s *script) { s.another().show(s.events[2]) }, "without a reset"},
		"a reset too many":            {func(s *script) { s.reset(); s.reset() }, "was reset at seq 0"},
		"an old epoch goes on": {func(s *script) {
			s.epoch = 1
			s.Acknowledged(s.next())
			s.audit()
		}, "never acknowledged"},
		"an epoch of its own":     {func(s *script) { s.epoch = 9; s.Acknowledged(s.next()) }, "nothing was restored since"},
		"what is gone comes back": {func(s *script) { s.rows = append(s.rows, s.gone); s.audit() }, "never acknowledged"},
		"what is there is refused": {func(s *script) {
			s.Refused(s.conversation, "a message was refused")
			s.AuditRefusals(map[uuid.UUID]bool{s.conversation: true})
		}, "is there"},
	} {
		t.Run(name, func(t *testing.T) {
			s := restored()
			c.breaks(s)
			if got := strings.Join(s.Violations(), "\n"); !strings.Contains(got, c.want) {
				t.Errorf("noticed %q, not %q", got, c.want)
			}
		})
	}
}

// another gives the script a reader that has exactly what the backup had, and was never reset.
func (s *script) another() *script {
	s.reader = s.NewReader("another reader")
	s.show(clones(s.events[:2], func(e *protocol.Event) { e.Epoch = 1 })...)
	return s
}

func TestARefusalWithoutARestoreIsNoticed(t *testing.T) {
	s := begin(1)
	s.Refused(s.conversation, "a message was refused")
	if got := strings.Join(s.Violations(), "\n"); !strings.Contains(got, "nothing was restored") {
		t.Errorf("noticed %q", got)
	}
}
