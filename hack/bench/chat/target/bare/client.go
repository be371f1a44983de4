// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package bare

import (
	"context"
	"crypto/tls"
	"io"

	"github.com/chattenant/chattenant/hack/bench/chat/target"
	"github.com/chattenant/chattenant/hack/bench/chat/target/wire"
)

// dialect is how both are spoken to.
type dialect struct{}

// Kept implements target.Target.
func (dialect) Kept() string { return `SELECT client_id::text FROM message` }

// At implements target.Target.
func (dialect) At(address string, site target.Site) (target.Client, error) {
	c := &client{base: "ws://" + address}
	if site.Plain {
		return c, nil
	}
	var err error
	c.base = "wss://" + address
	c.tls, err = wire.Trusting(site.CAFile, target.Host)
	return c, err
}

type client struct {
	base string
	tls  *tls.Config
}

// Join implements target.Client.
func (c *client) Join(ctx context.Context, rooms int, heard target.Listener) (*target.Party, error) {
	party := &target.Party{}
	reader, err := c.dial(ctx, readerPath, heard, target.Deliveries)
	if err != nil {
		return party, err
	}
	party.Readers = []io.Closer{reader}
	return party, party.Join(ctx, rooms, func(ctx context.Context, _ int) (target.Visitor, error) {
		socket, err := c.dial(ctx, visitorPath, heard, target.Answers)
		return &visitor{socket}, err
	})
}

func (c *client) dial(
	ctx context.Context, path string, heard target.Listener, hear func(target.Listener, []byte),
) (*wire.Socket, error) {
	socket, err := wire.Dial(ctx, wire.Door{URL: c.base + path, TLS: c.tls})
	if err != nil {
		return nil, err
	}
	socket.Listen(func(frame []byte) { hear(heard, frame) }, heard.Lost)
	return socket, nil
}

type visitor struct{ *wire.Socket }

// Send implements target.Visitor.
func (v *visitor) Send(n int64) error {
	return v.Write([]byte(`{"type":"send","clientId":"` + target.ID(n) + `","body":"` + target.Body(n) + `"}`))
}
