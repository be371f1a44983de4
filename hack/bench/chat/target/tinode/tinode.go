// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package tinode measures a Tinode server that was started elsewhere, over its JSON protocol. Each visitor has a
// conversation with one agent, as Tinode's peer-to-peer topics have it. The server must let accounts be made without
// validated credentials, as its documentation shows for tests.
package tinode

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/chattenant/chattenant/hack/bench/chat/target"
	"github.com/chattenant/chattenant/hack/bench/chat/target/wire"
)

const protocolVersion = "0.22"

// Target is a server elsewhere.
type Target struct {
	// URL is that of its WebSocket, ws://host:6060/v0/channels.
	URL string
	// APIKey lets clients in.
	APIKey string
}

// At implements target.Target. The address is the target's own.
func (t Target) At(string, target.Site) (target.Client, error) { return &client{t}, nil }

type client struct{ target Target }

// Join implements target.Client.
func (c *client) Join(ctx context.Context, rooms int, heard target.Listener) (*target.Party, error) {
	party := &target.Party{}
	agent, err := c.account(ctx, heard)
	if err != nil {
		return party, fmt.Errorf("agent: %w", err)
	}
	party.Readers = []io.Closer{agent}
	visitors := make([]*user, rooms)
	err = party.Join(ctx, rooms, func(ctx context.Context, room int) (target.Visitor, error) {
		v, err := c.account(ctx, heard)
		if err != nil {
			return nil, err
		}
		visitors[room] = v
		return v, v.attach(agent.user)
	})
	if err != nil {
		return party, err
	}
	// To each side the conversation goes by the name of the other.
	for _, v := range visitors {
		if err := agent.attach(v.user); err != nil {
			return party, fmt.Errorf("agent: %w", err)
		}
	}
	agent.Listen(agent.deliveries, heard.Lost)
	for _, v := range visitors {
		v.Listen(v.answers, heard.Lost)
	}
	return party, nil
}

// user is a new account's connection.
type user struct {
	*wire.Socket
	heard target.Listener
	// user is the account's name, topic the one it writes to.
	user, topic string
	last        int
}

// answer is what the adapter needs of a server's message.
type answer struct {
	Ctrl *struct {
		ID     string `json:"id"`
		Code   int    `json:"code"`
		Text   string `json:"text"`
		Params struct {
			User string `json:"user"`
		} `json:"params"`
	} `json:"ctrl"`
}

// account connects, makes an account with a name and a password of its own, and logs it in.
func (c *client) account(ctx context.Context, heard target.Listener) (*user, error) {
	door := wire.Door{URL: c.target.URL, Header: http.Header{"X-Tinode-Apikey": {c.target.APIKey}}}
	socket, err := wire.Dial(ctx, door)
	if err != nil {
		return nil, err
	}
	u := &user{Socket: socket, heard: heard}
	if err := u.register(); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return u, nil
}

func (u *user) register() error {
	if _, err := u.ask("hi", map[string]any{"ver": protocolVersion, "ua": "bench"}); err != nil {
		return err
	}
	// At most 32 characters are allowed for a name; 16 of 5 bits each do not repeat.
	const length = 16
	secret := "b" + rand.Text()[:length] + ":" + rand.Text()
	made, err := u.ask("acc", map[string]any{
		"user": "new", "scheme": "basic", "secret": base64.StdEncoding.EncodeToString([]byte(secret)), "login": true,
	})
	if err != nil {
		return err
	}
	u.user = made.Ctrl.Params.User
	return nil
}

// attach joins a topic and makes it the one to write to.
func (u *user) attach(topic string) error {
	_, err := u.ask("sub", map[string]any{"topic": topic})
	u.topic = topic
	return err
}

// ask sends a request and waits for its answer.
func (u *user) ask(kind string, request map[string]any) (out answer, err error) {
	u.last++
	id := kind + strconv.Itoa(u.last)
	request["id"] = id
	data, err := json.Marshal(map[string]any{kind: request})
	if err != nil {
		return out, fmt.Errorf("encode %s: %w", kind, err)
	}
	if err := u.Write(data); err != nil {
		return out, err
	}
	_, err = u.Await(func(frame []byte) (bool, error) {
		out = answer{}
		if err := json.Unmarshal(frame, &out); err != nil {
			return false, fmt.Errorf("decode answer: %w", err)
		}
		if out.Ctrl == nil || out.Ctrl.ID != id {
			return false, nil
		}
		if out.Ctrl.Code >= http.StatusMultipleChoices {
			return false, fmt.Errorf("%d %s", out.Ctrl.Code, out.Ctrl.Text)
		}
		return true, nil
	})
	if err != nil {
		return out, fmt.Errorf("%s: %w", kind, err)
	}
	return out, nil
}

// Send implements target.Visitor.
func (u *user) Send(n int64) error {
	return u.Write([]byte(`{"pub":{"id":"` + strconv.FormatInt(n, 10) + `","topic":"` + u.topic +
		`","noecho":true,"content":"` + target.Body(n) + `"}}`))
}

// answers hears what becomes of publications, whose ids are the messages' numbers.
func (u *user) answers(frame []byte) {
	if !bytes.HasPrefix(frame, []byte(`{"ctrl":`)) {
		return
	}
	var a answer
	if err := json.Unmarshal(frame, &a); err != nil {
		u.heard.Lost(fmt.Errorf("decode answer: %w", err))
		return
	}
	n, err := strconv.ParseInt(a.Ctrl.ID, 10, 64)
	switch {
	case err != nil:
		u.heard.Lost(fmt.Errorf("%d %s", a.Ctrl.Code, a.Ctrl.Text))
	case a.Ctrl.Code >= http.StatusMultipleChoices:
		u.heard.Refused(n, strconv.Itoa(a.Ctrl.Code))
	default:
		u.heard.Acked(n)
	}
}

// deliveries hears the messages themselves.
func (u *user) deliveries(frame []byte) {
	if !bytes.HasPrefix(frame, []byte(`{"data":`)) {
		return
	}
	n, err := target.NumberOfBody(wire.Field(frame, "content"))
	if err != nil {
		u.heard.Lost(err)
		return
	}
	u.heard.Delivered(n)
}
