// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package bare

import (
	"context"
	"fmt"
	"net"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/hack/bench/chat/postgres"
	"github.com/chattenant/chattenant/hack/bench/chat/target"
)

const schema = `CREATE TABLE message (client_id uuid PRIMARY KEY, body text NOT NULL, at timestamptz NOT NULL)`

const (
	// naiveConnections is what people give a pool when the default is too slow.
	naiveConnections = 50
	pipeConnections  = 1
	pipeQueue        = 4 * store.MaxAppend
)

// Pipe commits what arrived while the last commit was under way, with one statement in one transaction.
type Pipe struct{ dialect }

// Naive inserts and commits each message by itself, over fifty pooled connections.
type Naive struct{ dialect }

// Serve implements target.Server.
func (p Pipe) Serve(ctx context.Context, site target.Site, listener net.Listener) error {
	pool, err := OpenPool(ctx, site, pipeConnections)
	if err != nil {
		return err
	}
	pool.Close()
	return p.ServeExisting(ctx, site, listener)
}

// ServeExisting is Serve on a database that has the table.
func (Pipe) ServeExisting(ctx context.Context, site target.Site, listener net.Listener) error {
	pool, err := postgres.Pool(ctx, site.Database, pipeConnections)
	if err != nil {
		return fmt.Errorf("open pool: %w", err)
	}
	defer pool.Close()
	k := &batcher{pool: pool, queue: make(chan waiting, pipeQueue)}
	go k.write(ctx)
	return (&front{keeper: k, readers: map[*peer]struct{}{}}).serve(ctx, site, listener)
}

// Serve implements target.Server.
func (Naive) Serve(ctx context.Context, site target.Site, listener net.Listener) error {
	pool, err := OpenPool(ctx, site, naiveConnections)
	if err != nil {
		return err
	}
	defer pool.Close()
	return (&front{keeper: naive{pool}, readers: map[*peer]struct{}{}}).serve(ctx, site, listener)
}

// OpenPool connects as the product does and makes a table of messages.
func OpenPool(ctx context.Context, site target.Site, connections int32) (*pgxpool.Pool, error) {
	pool, err := postgres.Pool(ctx, site.Database, connections)
	if err != nil {
		return nil, fmt.Errorf("open pool: %w", err)
	}
	if _, err := pool.Exec(ctx, schema); err != nil {
		pool.Close()
		return nil, fmt.Errorf("make table: %w", err)
	}
	return pool, nil
}

// Insert is the statement for one message.
const Insert = `INSERT INTO message (client_id, body, at) VALUES ($1, $2, now())`

// naive keeps each message by itself.
type naive struct{ pool *pgxpool.Pool }

func (k naive) keep(ctx context.Context, f *frame, done func(error)) {
	_, err := k.pool.Exec(ctx, Insert, f.ClientID, f.Body)
	done(err)
}

// batcher is the pipe's single writer.
type batcher struct {
	pool  *pgxpool.Pool
	queue chan waiting
}

type waiting struct {
	frame *frame
	done  func(error)
}

func (k *batcher) keep(ctx context.Context, f *frame, done func(error)) {
	select {
	case k.queue <- waiting{f, done}:
	case <-ctx.Done():
		done(ctx.Err())
	}
}

func (k *batcher) write(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-k.queue:
			k.commit(ctx, k.gather(first))
		}
	}
}

func (k *batcher) gather(first waiting) []waiting {
	batch := []waiting{first}
	for len(batch) < store.MaxAppend {
		select {
		case w := <-k.queue:
			batch = append(batch, w)
		default:
			return batch
		}
	}
	return batch
}

func (k *batcher) commit(ctx context.Context, batch []waiting) {
	ids, bodies := make([]string, len(batch)), make([]string, len(batch))
	for i, w := range batch {
		ids[i], bodies[i] = w.frame.ClientID, w.frame.Body
	}
	_, err := k.pool.Exec(ctx, `INSERT INTO message (client_id, body, at)
		SELECT client_id, body, now() FROM unnest($1::uuid[], $2::text[]) AS m (client_id, body)`, ids, bodies)
	for _, w := range batch {
		w.done(err)
	}
}
