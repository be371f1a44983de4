// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package centrifuge measures the centrifuge library with what it leaves to its user: each publication is put into
// PostgreSQL before it is published.
package centrifuge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/chattenant/chattenant/hack/bench/chat/target"
	"github.com/chattenant/chattenant/hack/bench/chat/target/bare"
)

const (
	path = "/connection/websocket"
	// connections of the pool are as many as the naive server's.
	connections   = 50
	headerTimeout = 30 * time.Second
	stopTimeout   = 5 * time.Second
	// channels lets the one reader subscribe to every room.
	channels = 1 << 16
)

// Target is the library.
type Target struct{}

// Kept implements target.Target.
func (Target) Kept() string { return `SELECT client_id::text FROM message` }

// publication is what clients publish.
type publication struct {
	ClientID string `json:"clientId"`
	Body     string `json:"body"`
}

// Serve implements target.Server.
func (Target) Serve(ctx context.Context, site target.Site, listener net.Listener) error {
	pool, err := bare.OpenPool(ctx, site, connections)
	if err != nil {
		return err
	}
	defer pool.Close()
	node, err := newNode(ctx, pool)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle(path, withCredentials(centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		CheckOrigin: func(*http.Request) bool { return true }, UseWriteBufferPool: true,
	})))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	secured, err := bare.Secure(site, listener)
	if err != nil {
		return err
	}
	if err := server.Serve(secured); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := node.Shutdown(ending); err != nil {
		return fmt.Errorf("shut down node: %w", err)
	}
	return nil
}

func withCredentials(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := &centrifuge.Credentials{UserID: r.RemoteAddr}
		next.ServeHTTP(w, r.WithContext(centrifuge.SetCredentials(r.Context(), who)))
	})
}

func newNode(ctx context.Context, pool *pgxpool.Pool) (*centrifuge.Node, error) {
	node, err := centrifuge.New(centrifuge.Config{ClientChannelLimit: channels})
	if err != nil {
		return nil, fmt.Errorf("make node: %w", err)
	}
	node.OnConnect(func(client *centrifuge.Client) {
		client.OnSubscribe(func(_ centrifuge.SubscribeEvent, reply centrifuge.SubscribeCallback) {
			reply(centrifuge.SubscribeReply{}, nil)
		})
		client.OnPublish(func(e centrifuge.PublishEvent, reply centrifuge.PublishCallback) {
			// The library wants its handlers not to block. It publishes, and then answers, once reply is called.
			go func() { reply(centrifuge.PublishReply{}, persist(ctx, pool, e.Data)) }()
		})
	})
	if err := node.Run(); err != nil {
		return nil, fmt.Errorf("run node: %w", err)
	}
	return node, nil
}

func persist(ctx context.Context, pool *pgxpool.Pool, data []byte) error {
	var p publication
	if err := json.Unmarshal(data, &p); err != nil {
		return centrifuge.ErrorBadRequest
	}
	if _, err := pool.Exec(ctx, bare.Insert, p.ClientID, p.Body); err != nil {
		return centrifuge.ErrorInternal
	}
	return nil
}
