// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package centrifugo measures a Centrifugo server that was started elsewhere. Its configuration must let clients
// subscribe to and publish into channels (allow_subscribe_for_client, allow_publish_for_subscriber) and let the one
// reader have as many channels as there are rooms (client.channel_limit). It acknowledges what it has published, which
// by itself puts nothing on disk.
package centrifugo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/chattenant/chattenant/hack/bench/chat/target"
	"github.com/chattenant/chattenant/hack/bench/chat/target/centrifuge"
	"github.com/chattenant/chattenant/hack/bench/chat/target/wire"
)

// Target is a server elsewhere.
type Target struct {
	URL string
	// TokenFile holds a connection token (JWT), if the server wants one.
	TokenFile string
}

// At implements target.Target. The address is the target's own.
func (t Target) At(string, target.Site) (target.Client, error) {
	c := &client{door: wire.Door{URL: t.URL}}
	if t.TokenFile == "" {
		return c, nil
	}
	token, err := os.ReadFile(filepath.Clean(t.TokenFile))
	if err != nil {
		return nil, fmt.Errorf("read token: %w", err)
	}
	c.token = strings.TrimSpace(string(token))
	return c, nil
}

type client struct {
	door  wire.Door
	token string
}

// Join implements target.Client. Centrifugo speaks the protocol of the library it is made of.
func (c *client) Join(ctx context.Context, rooms int, heard target.Listener) (*target.Party, error) {
	return centrifuge.Join(ctx, c.door, c.token, rooms, heard)
}
