// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package target says what a chat server must be able to do to be measured, and what every adapter needs for that.
package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/chattenant/chattenant/api/serverconfig"
)

// Site is what the two halves of a target, server and clients, have in common.
type Site struct {
	// Plain leaves out TLS between clients and server.
	Plain bool
	// Database is reached over mutual TLS, as in the product.
	Database serverconfig.Database
	// Endpoint is the server's certificate, which CAFile signed.
	Endpoint serverconfig.KeyPair
	CAFile   string
	// KEKFile holds 32 random bytes.
	KEKFile string
	// Password is the agent's.
	Password string
}

// Server is the half that is measured. It runs in a process of its own.
type Server interface {
	// Serve answers clients until ctx ends.
	Serve(ctx context.Context, site Site, listener net.Listener) error
}

// Client is the half that makes the load.
type Client interface {
	// Join connects a visitor for each room and a reader, or readers, for all of them.
	Join(ctx context.Context, rooms int, heard Listener) (*Party, error)
}

// Target is a chat server to be measured.
type Target interface {
	// At returns a client of the server at address, which is empty if the server was started elsewhere.
	At(address string, site Site) (Client, error)
}

// Local is a target that runs here, on our database. Of others nothing is known but what their clients see.
type Local interface {
	Target
	Server
	// Kept is the query for the client id of every message in the database.
	Kept() string
}

// Listener is told what clients hear. It is called from many goroutines.
type Listener interface {
	// Acked: the server promised to keep message n.
	Acked(n int64)
	// Delivered: the other side has message n.
	Delivered(n int64)
	// Refused: the server will not have message n, for the reason that code names.
	Refused(n int64, code string)
	// Lost: a connection ended by itself.
	Lost(err error)
}

// Visitor writes into one room.
type Visitor interface {
	io.Closer
	// Send puts message number n on its way and does not wait for the answer.
	Send(n int64) error
}

// Party is everyone connected.
type Party struct {
	// Visitors has one entry per room.
	Visitors []Visitor
	Readers  []io.Closer
}

// Close disconnects everyone.
func (p *Party) Close() error {
	var errs []error
	for _, v := range p.Visitors {
		if v != nil {
			errs = append(errs, v.Close())
		}
	}
	for _, r := range p.Readers {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}

// joining is how many visitors connect at once.
const joining = 16

// Join connects one visitor per room.
func (p *Party) Join(
	ctx context.Context, rooms int, connect func(ctx context.Context, room int) (Visitor, error),
) error {
	p.Visitors = make([]Visitor, rooms)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(joining)
	for room := range rooms {
		group.Go(func() (err error) {
			if p.Visitors[room], err = connect(ctx, room); err != nil {
				return fmt.Errorf("connect visitor %d: %w", room, err)
			}
			return nil
		})
	}
	return group.Wait()
}

const (
	prefix    = "0198f000-0000-7000-8000-"
	idLength  = len(prefix) + numberLen
	numberLen = 12
)

// ID is the client id of message n.
func ID(n int64) string { return fmt.Sprintf("%s%0*x", prefix, numberLen, n) }

// Number is the n of a client id.
func Number(id string) (int64, error) {
	if len(id) != idLength || !strings.HasPrefix(id, prefix) {
		return 0, fmt.Errorf("%q is no id of ours", id)
	}
	n, err := strconv.ParseInt(id[len(prefix):], 16, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no id of ours: %w", id, err)
	}
	return n, nil
}

// BodySize is the length of every message in bytes.
const BodySize = 200

var padding = strings.Repeat("I have a question about my order. ", BodySize)

// Body is the text of message n. It begins with n for servers that hand back nothing else.
func Body(n int64) string { return fmt.Sprintf("%0*x %s", numberLen, n, padding)[:BodySize] }

// NumberOfBody is the n of a text that Body made.
func NumberOfBody(body string) (int64, error) {
	if len(body) < numberLen {
		return 0, errors.New("that is no text of ours")
	}
	n, err := strconv.ParseInt(body[:numberLen], 16, 64)
	if err != nil {
		return 0, fmt.Errorf("that is no text of ours: %w", err)
	}
	return n, nil
}
