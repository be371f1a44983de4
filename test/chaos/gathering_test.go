// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/client"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/server/servertest"
	"github.com/chattenant/chattenant/test/chaos/oracle"
)

// gathering is everybody who talks and reads.
type gathering struct {
	world     *world
	agents    []*agent
	witnesses []*witness

	mu       sync.Mutex
	visitors []*visitor

	// alive ends when everybody leaves, talking when they have nothing more to say.
	alive, talking context.Context
	leave, hush    context.CancelFunc
	// talkers are still talking, or wait for their last answers; watchers still read.
	talkers, watchers sync.WaitGroup
}

// size says how many come.
type size struct{ visitors, agents, witnesses int }

// gather lets agents and witnesses come at once, and visitors one after the other during arrivals.
func gather(w *world, s size, arrivals time.Duration) (*gathering, error) {
	g := &gathering{world: w}
	g.alive, g.leave = context.WithCancel(w.ctx)
	g.talking, g.hush = context.WithCancel(g.alive)
	w.t.Cleanup(func() { g.leave(); g.talkers.Wait(); g.watchers.Wait() })
	for i := range s.agents {
		if err := g.addAgent(i, s.agents); err != nil {
			return nil, err
		}
	}
	for i := range s.witnesses {
		if err := g.addWitness(i); err != nil {
			return nil, err
		}
	}
	for i := range s.visitors {
		after := arrivals * time.Duration(i) / time.Duration(s.visitors)
		g.talkers.Go(func() { pause(g.talking, after); g.receive(i) })
	}
	return g, nil
}

// receive has a visitor come, and another one for each that a restore takes away, as people begin anew.
func (g *gathering) receive(i int) {
	for visits := 1; ; visits++ {
		p, err := newPerson(g.world, fmt.Sprintf("visitor %d.%d", i, visits), i)
		if err != nil {
			g.world.oracle.Violated("visitor %d cannot come: %v", i, err)
			return
		}
		v := &visitor{person: p}
		v.live(g.alive, g.talking, g.join)
		if !v.lost.Load() || g.talking.Err() != nil {
			return
		}
	}
}

// Everybody has an address of their own; visitors have the lower ones.
const (
	firstAgent   = 200
	firstWitness = 230
)

func (g *gathering) addAgent(i, of int) error {
	w, email := g.world, fmt.Sprintf("agent%d@example.org", i)
	servertest.NewAgent(w.t, w.db.Database, email, fmt.Sprintf("Agent %d", i))
	p, err := newPerson(w, fmt.Sprintf("agent %d", i), firstAgent+i)
	if err != nil {
		return err
	}
	const plenty = 64
	a := &agent{person: p, share: i, of: of, questions: make(chan uuid.UUID, plenty)}
	err = w.persist(func() (err error) {
		a.who, err = p.client.SignIn(w.ctx, redacted.New(email), redacted.New(servertest.Password))
		return err
	})
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	a.come(g.alive)
	g.agents = append(g.agents, a)
	g.talkers.Go(func() { a.answer(g.alive, g.talking) })
	return nil
}

// persist tries until it works or is refused: on a machine that stalls there are moments without a ready replica.
func (w *world) persist(try func() error) error {
	ctx, cancel := context.WithTimeout(w.ctx, startTimeout)
	defer cancel()
	for {
		err := try()
		var refusal *client.Error
		if err == nil || ctx.Err() != nil || errors.As(err, &refusal) && !mayPass(refusal.Code) {
			return err
		}
		pause(ctx, 200*ms)
	}
}

func (g *gathering) addWitness(i int) error {
	w, email := g.world, fmt.Sprintf("witness%d@example.org", i)
	servertest.NewAgent(w.t, w.db.Database, email, fmt.Sprintf("Witness %d", i))
	e := newWitness(w, fmt.Sprintf("witness %d", i), firstWitness+i)
	if err := w.persist(func() error { return e.signIn(w.ctx, email) }); err != nil {
		return err
	}
	g.witnesses = append(g.witnesses, e)
	g.watchers.Go(func() { e.watch(g.alive) })
	return nil
}

func (g *gathering) join(v *visitor) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.visitors = append(g.visitors, v)
}

func (g *gathering) conversations() []uuid.UUID {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []uuid.UUID
	for _, v := range g.visitors {
		if !v.lost.Load() {
			all = append(all, v.home)
		}
	}
	return all
}

// finish lets everybody say what they have to say and hear what was said, and notes who could not within the limit.
func (g *gathering) finish(limit time.Duration) {
	deadline := time.Now().Add(limit)
	g.hush()
	silent := make(chan struct{})
	go func() { g.talkers.Wait(); close(silent) }()
	select {
	case <-silent:
	case <-time.After(time.Until(deadline)):
		g.world.oracle.Violated("%v after the last fault: %s", limit, g.world.oracle.Unanswered())
	}
	g.world.waitUntil(time.Until(deadline), "everybody has read everything", g.behind)
}

// behind says who has not read everything.
func (g *gathering) behind() string {
	all := g.conversations()
	for _, a := range g.agents {
		if complaint := a.reader.Behind(all); complaint != "" {
			return complaint
		}
	}
	for _, e := range g.witnesses {
		if complaint := e.behind(all); complaint != "" {
			return complaint
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, v := range g.visitors {
		if complaint := v.reader.Behind([]uuid.UUID{v.home}); complaint != "" && !v.lost.Load() {
			return complaint
		}
	}
	return ""
}

// readAgain lets everybody read from the beginning, as on a new device.
func (g *gathering) readAgain(limit time.Duration) {
	all := g.conversations()
	readers := map[*oracle.Reader][]uuid.UUID{}
	for _, a := range g.agents {
		readers[g.freshReader(a.person, a.who)] = all
	}
	g.mu.Lock()
	for _, v := range g.visitors {
		if !v.lost.Load() {
			readers[g.freshReader(v.person, v.who)] = []uuid.UUID{v.home}
		}
	}
	g.mu.Unlock()
	g.world.waitUntil(limit, "fresh readers have read everything", func() string {
		for reader, conversations := range readers {
			if complaint := reader.Behind(conversations); complaint != "" {
				return complaint
			}
		}
		return ""
	})
}

func (g *gathering) freshReader(p *person, who client.Credentials) *oracle.Reader {
	reader := g.world.oracle.NewLateReader(p.name + " (fresh reader at the end)")
	session := p.client.NewSession(who, client.Observer{
		Event: func(f *protocol.Event) { reader.Event(f) }, CaughtUp: reader.CaughtUp, Reset: reader.Reset,
	})
	g.watchers.Go(func() {
		if err := session.Run(g.alive); g.alive.Err() == nil {
			p.refused("a fresh connection", err, p.id)
		}
	})
	return reader
}

// counts says how often people connected, and how often witnesses began from nothing.
func (g *gathering) counts() (connections, fresh int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, v := range g.visitors {
		connections += v.connections.Load()
	}
	for _, a := range g.agents {
		connections += a.connections.Load()
	}
	for _, e := range g.witnesses {
		connections += e.sockets.Load()
		fresh += e.fresh.Load()
	}
	return connections, fresh
}
