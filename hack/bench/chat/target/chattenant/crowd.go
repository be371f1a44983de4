// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package chattenant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/hack/bench/chat/target"
	"github.com/chattenant/chattenant/hack/bench/chat/target/wire"
)

// crowd is many visitors who are connected and say nothing.
type crowd struct {
	client    *client
	firstRoom int
	// hellos has one entry per visitor: all it takes to come back.
	hellos  []string
	sockets []*wire.Socket
	// starting has room for those who connect.
	starting chan struct{}
}

const (
	// gathering is how many visitors of a crowd come at once the first time.
	gathering = 16
	// Clients wait at random up to firstWait before they come back, and up to twice as long after each failure, at most
	// longestWait: docs/protocol.md.
	firstWait   = 500 * time.Millisecond
	longestWait = 30 * time.Second
	// atOnce is how many of a crowd start to connect at once, each within starts: all compute their first words on one
	// machine, and a server gives nobody the seconds that this takes ten thousand. Those who wait for the server to take
	// their connection are not counted.
	atOnce = 32
	starts = 25 * time.Millisecond
)

// Gather implements target.Gatherer.
func (c *client) Gather(ctx context.Context, people, firstRoom int) (target.Crowd, error) {
	all := &crowd{client: c, firstRoom: firstRoom, hellos: make([]string, people), sockets: make([]*wire.Socket, people),
		starting: make(chan struct{}, atOnce)}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(gathering)
	for i := range people {
		group.Go(func() error {
			var session protocol.VisitorSession
			if _, err := c.post(ctx, firstRoom+i, "/api/v1/visitor/session", []byte(`{}`), &session); err != nil {
				return err
			}
			hello, err := json.Marshal(map[string]any{
				"type": protocol.TypeHello, "protocol": protocol.Version, "token": session.Token,
			})
			if err != nil {
				return fmt.Errorf("encode hello: %w", err)
			}
			all.hellos[i] = string(hello)
			all.sockets[i], err = all.enter(ctx, i)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, errors.Join(fmt.Errorf("gather %d visitors: %w", people, err), all.Close())
	}
	return all, nil
}

func (a *crowd) enter(ctx context.Context, i int) (*wire.Socket, error) {
	socket, err := a.client.socket(ctx, a.firstRoom+i, http.Header{"Origin": {origin}}, a.hellos[i])
	if err != nil {
		return nil, err
	}
	// What it hears does not matter here, but it must be read.
	socket.Listen(func([]byte) {}, func(error) {})
	return socket, nil
}

// Return implements target.Crowd.
func (a *crowd) Return(ctx context.Context) (target.Returned, error) {
	if err := a.Close(); err != nil {
		return target.Returned{}, err
	}
	var out target.Returned
	var mu sync.Mutex
	start := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for i := range a.hellos {
		group.Go(func() error {
			return a.comeBack(ctx, i, func(err error) {
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					out.Failures++
					out.Failure = err.Error()
				}
				out.Took = max(out.Took, time.Since(start))
			})
		})
	}
	return out, group.Wait()
}

// comeBack tries as the protocol asks clients to, until it succeeds or ctx ends, and tells how each attempt went.
func (a *crowd) comeBack(ctx context.Context, i int, tell func(error)) error {
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rand.N(wait)): //nolint:gosec // Spreads load, hides nothing.
		}
		a.starting <- struct{}{}
		time.AfterFunc(starts, func() { <-a.starting })
		var err error
		a.sockets[i], err = a.enter(ctx, i)
		if tell(err); err == nil {
			return nil
		}
	}
}

// Close implements target.Crowd.
func (a *crowd) Close() error {
	var errs []error
	for i, socket := range a.sockets {
		if socket != nil {
			errs = append(errs, socket.Close())
			a.sockets[i] = nil
		}
	}
	return errors.Join(errs...)
}
