// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge_test

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"github.com/chattenant/chattenant/chatserver/protocol"
)

// record is what every participant was told, to be compared.
type record struct {
	mu     sync.Mutex
	faults []string
	// ids has what stands at each place of a history, places the one place of each message in it.
	ids           map[place]uuid.UUID
	places        map[said]place
	conversations []uuid.UUID
	messages      []uuid.UUID
	// owners has whose each conversation is.
	owners map[uuid.UUID]uuid.UUID
}

type place struct {
	epoch        int64
	conversation uuid.UUID
	seq          int64
}

type said struct {
	epoch                          int64
	conversation, author, clientID uuid.UUID
}

func newRecord() *record {
	return &record{ids: map[place]uuid.UUID{}, places: map[said]place{}, owners: map[uuid.UUID]uuid.UUID{}}
}

func (r *record) fault(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// stands notes what somebody was told of a place, and compares it with what others were told.
func (r *record) stands(at place, id uuid.UUID, what said) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.ids[at]; ok && known != id {
		r.faults = append(r.faults, fmt.Sprintf("%v is %s and %s", at, known, id))
	}
	if known, ok := r.places[what]; ok && known != at {
		r.faults = append(r.faults, fmt.Sprintf("message %s is at %v and %v", what.clientID, known, at))
	}
	r.ids[at], r.places[what] = id, at
	r.messages = append(r.messages, id)
}

func (r *record) opened(conversation, by uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conversations = append(r.conversations, conversation)
	r.owners[conversation] = by
}

func (r *record) isFaulty() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.faults) > 0
}

// isOthers tells whether a conversation is another visitor's.
func (r *record) isOthers(conversation, visitor uuid.UUID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	owner, known := r.owners[conversation]
	return known && owner != visitor
}

// audit compares what everybody was told with what was stored.
func (r *record) audit(m *memory) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for at, id := range r.ids {
		if m.stored[at] != id {
			r.faults = append(r.faults, fmt.Sprintf("%v was said to be %s, and %s is stored", at, id, m.stored[at]))
		}
	}
}

// socketState is what a participant has a right to expect of one socket.
type socketState struct {
	record *record
	name   string
	self   uuid.UUID
	kind   protocol.Kind
	conn   *websocket.Conn
	// frames are counted; over is set by the frame that says why the socket ends.
	frames int
	over   bool
	// claimed are the cursors of hello, not yet confirmed by what follows; last is the last event of each conversation.
	claimed map[uuid.UUID]protocol.Cursor
	last    map[uuid.UUID]int64
	epoch   int64

	// looking is held while a frame is taken.
	looking sync.Mutex
	// begun is closed with the first hello, whose cursors are then set.
	begun chan struct{}

	mu sync.Mutex
	// welcome says that the server has answered hello.
	welcome bool
	// asked are the frames that wait for an answer, by client id.
	asked  map[uuid.UUID]int
	change chan struct{}
	ended  chan struct{}
}

func newSocketState(r *record, name string, conn *websocket.Conn) *socketState {
	return &socketState{
		record: r, name: name, conn: conn, last: map[uuid.UUID]int64{}, asked: map[uuid.UUID]int{},
		begun: make(chan struct{}), change: make(chan struct{}, 1), ended: make(chan struct{}),
	}
}

// cursors are what one may come back with. Called when the socket has ended.
func (s *socketState) cursors() map[uuid.UUID]protocol.Cursor {
	cursors := map[uuid.UUID]protocol.Cursor{}
	for id, seq := range s.last {
		if seq > 0 {
			cursors[id] = protocol.Cursor{Epoch: s.epoch, Seq: seq}
		}
	}
	return cursors
}

func (s *socketState) greeted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.welcome
}

func isTimeout(err error) bool {
	var failure net.Error
	return errors.As(err, &failure) && failure.Timeout()
}

// read takes what the server says until the socket ends.
func (s *socketState) read() {
	defer close(s.ended)
	defer func() { _ = s.conn.Close() }()
	for {
		_, data, err := s.conn.ReadMessage()
		if err != nil {
			return
		}
		frame, err := protocol.DecodeServer(data)
		if err != nil || frame == nil {
			s.record.fault("%s was sent %q: %v", s.name, data, err)
			return
		}
		s.take(frame)
		select {
		case s.change <- struct{}{}:
		default:
		}
	}
}

func (s *socketState) take(frame protocol.Frame) {
	s.looking.Lock()
	defer s.looking.Unlock()
	if s.over {
		s.record.fault("%s was sent a %s after the farewell", s.name, frame.FrameType())
	}
	s.frames++
	switch f := frame.(type) {
	case *protocol.Welcome:
		select {
		case <-s.begun:
		default:
			s.record.fault("%s was welcomed without a hello", s.name)
		}
		if s.frames != 1 {
			s.record.fault("%s was welcomed by frame %d", s.name, s.frames)
		}
		s.self, s.kind, s.epoch = f.Self.ID, f.Self.Kind, f.Epoch
		s.mu.Lock()
		s.welcome = true
		s.mu.Unlock()
	case *protocol.Error:
		s.takeError(f)
	default:
		if s.self == uuid.Nil {
			s.record.fault("%s was sent a %s before the welcome", s.name, frame.FrameType())
		}
		s.takeOther(frame)
	}
}

func (s *socketState) takeError(f *protocol.Error) {
	if f.Code.HTTPStatus() == protocol.Internal.HTTPStatus() {
		s.record.fault("%s was answered %q: %s", s.name, f.Code, f.Message)
	}
	if f.ClientID == nil {
		s.over = true
		return
	}
	s.answered(*f.ClientID)
}

func (s *socketState) takeOther(frame protocol.Frame) {
	switch f := frame.(type) {
	case *protocol.Opened:
		s.record.opened(f.Conversation, s.self)
		s.answered(f.ClientID)
	case *protocol.Ack:
		s.record.stands(place{f.Epoch, f.Conversation, f.Seq}, f.ID, said{f.Epoch, f.Conversation, s.self, f.ClientID})
		s.answered(f.ClientID)
	case *protocol.Reset:
		delete(s.claimed, f.Conversation)
		s.last[f.Conversation] = 0
	case *protocol.Event:
		s.takeEvent(f)
	case *protocol.CaughtUp:
		if last := s.at(f.Conversation); f.Seq != last {
			s.record.fault("%s has everything up to %d, and has %d", s.name, f.Seq, last)
		}
	}
}

func (s *socketState) takeEvent(f *protocol.Event) {
	if last := s.at(f.Conversation); f.Seq != last+1 {
		s.record.fault("%s was sent event %d after %d", s.name, f.Seq, last)
	}
	if s.kind == protocol.Visitor && s.record.isOthers(f.Conversation, s.self) {
		s.record.fault("%s was sent event %d of another's conversation", s.name, f.Seq)
	}
	s.last[f.Conversation], s.epoch = f.Seq, f.Epoch
	s.record.stands(place{f.Epoch, f.Conversation, f.Seq}, f.ID, said{f.Epoch, f.Conversation, f.Author.ID, f.ClientID})
}

// at is the last event there, which is that of the cursor if there was no reset.
func (s *socketState) at(conversation uuid.UUID) int64 {
	if cursor, ok := s.claimed[conversation]; ok {
		delete(s.claimed, conversation)
		s.last[conversation] = cursor.Seq
	}
	return s.last[conversation]
}

func (s *socketState) ask(clientID uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[clientID]++
}

// answered expects that somebody asked.
func (s *socketState) answered(clientID uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked[clientID]--; s.asked[clientID] < 0 {
		s.record.fault("%s was answered about %s, which it did not ask, or once too often", s.name, clientID)
	}
	if s.asked[clientID] <= 0 {
		delete(s.asked, clientID)
	}
}

// waitUntil waits until done or the end of the socket. That neither comes is a deadlock.
func (s *socketState) waitUntil(what string, done func() bool) {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	// What is wrong elsewhere ends the wait too.
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !done() && !s.record.isFaulty() {
		select {
		case <-s.change:
		case <-look.C:
		case <-s.ended:
			return
		case <-timeout.C:
			s.record.fault("%s waited in vain for %s", s.name, what)
			return
		}
	}
}

// hasRead tells whether a participant was sent everything there is that it may read.
func (s *socketState) hasRead(m *memory) bool {
	s.looking.Lock()
	defer s.looking.Unlock()
	for _, c := range m.list(everything) {
		mine := s.kind == protocol.Agent || c.Visitor == s.self
		if mine && s.epoch == m.KnownEpoch() && max(s.last[c.ID], s.claimed[c.ID].Seq) < c.Head {
			return false
		}
	}
	return true
}

func (s *socketState) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked) == 0
}
