// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package centrifuge

import (
	"context"
	"crypto/tls"
	"io"

	"github.com/chattenant/chattenant/hack/bench/chat/target"
	"github.com/chattenant/chattenant/hack/bench/chat/target/wire"
)

// At implements target.Target.
func (Target) At(address string, site target.Site) (target.Client, error) {
	c := &client{url: "ws://" + address + path}
	if site.Plain {
		return c, nil
	}
	var err error
	c.url = "wss://" + address + path
	c.tls, err = wire.Trusting(site.CAFile, target.Host)
	return c, err
}

type client struct {
	url string
	tls *tls.Config
}

// Join implements target.Client.
func (c *client) Join(ctx context.Context, rooms int, heard target.Listener) (*target.Party, error) {
	return Join(ctx, wire.Door{URL: c.url, TLS: c.tls}, "", rooms, heard)
}

// Join connects one reader, who subscribes to every room, and the visitors, each subscribed to their own: as in the
// product, the author's socket gets the message too. token may be empty.
func Join(
	ctx context.Context, door wire.Door, token string, rooms int, heard target.Listener,
) (*target.Party, error) {
	party := &target.Party{}
	reader, err := connect(ctx, door, token, heard)
	if err != nil {
		return party, err
	}
	party.Readers = []io.Closer{reader}
	for room := range rooms {
		if err := reader.subscribe(channel(room)); err != nil {
			return party, err
		}
	}
	reader.listen(deliveries)
	return party, party.Join(ctx, rooms, func(ctx context.Context, room int) (target.Visitor, error) {
		return newVisitor(ctx, door, token, room, heard)
	})
}
