// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package chattenant

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/hack/bench/chat/target"
	"github.com/chattenant/chattenant/hack/bench/chat/target/wire"
)

const (
	origin         = "https://" + target.Host
	requestTimeout = 60 * time.Second
)

// At implements target.Target.
func (Target) At(address string, site target.Site) (target.Client, error) {
	return newClient(address, site)
}

func newClient(address string, site target.Site) (*client, error) {
	trusting, err := wire.Trusting(site.CAFile, target.Host)
	if err != nil {
		return nil, err
	}
	return &client{address: address, agentAddress: address, tls: trusting, password: site.Password}, nil
}

type client struct {
	// agentAddress is the replica that the agent is connected to, address everyone else's.
	address, agentAddress string
	password              string
	tls                   *tls.Config
}

// Join implements target.Client. One agent reads everything: that is what the protocol gives agents.
func (c *client) Join(ctx context.Context, rooms int, heard target.Listener) (*target.Party, error) {
	party := &target.Party{}
	agent, err := c.agent(ctx, heard)
	if err != nil {
		return party, fmt.Errorf("connect agent: %w", err)
	}
	party.Readers = []io.Closer{agent}
	return party, party.Join(ctx, rooms, func(ctx context.Context, room int) (target.Visitor, error) {
		return c.visitor(ctx, room, heard)
	})
}

func (c *client) agent(ctx context.Context, heard target.Listener) (*wire.Socket, error) {
	body, err := json.Marshal(map[string]string{"email": agentEmail, "password": c.password})
	if err != nil {
		return nil, fmt.Errorf("encode credentials: %w", err)
	}
	var answer struct{}
	cookies, err := c.post(ctx, agentRoom, "/api/v1/agent/session", body, &answer)
	if err != nil {
		return nil, err
	}
	header := http.Header{"Origin": {origin}}
	for _, cookie := range cookies {
		header.Add("Cookie", cookie.Name+"="+cookie.Value)
	}
	socket, err := c.socket(ctx, agentRoom, header, `{"type":"hello","protocol":1,"cursors":{}}`)
	if err != nil {
		return nil, err
	}
	socket.Listen(func(frame []byte) { target.Deliveries(heard, frame) }, heard.Lost)
	return socket, nil
}

// visitor is one visitor with an open conversation.
type visitor struct {
	*wire.Socket
	conversation string
}

func (c *client) visitor(ctx context.Context, room int, heard target.Listener) (*visitor, error) {
	var session protocol.VisitorSession
	if _, err := c.post(ctx, room, "/api/v1/visitor/session", []byte(`{}`), &session); err != nil {
		return nil, err
	}
	hello, err := protocol.Encode(&protocol.Hello{Protocol: protocol.Version, Token: session.Token})
	if err != nil {
		return nil, fmt.Errorf("encode hello: %w", err)
	}
	socket, err := c.socket(ctx, room, http.Header{"Origin": {origin}}, string(hello))
	if err != nil {
		return nil, err
	}
	v := &visitor{Socket: socket}
	if v.conversation, err = open(socket, room); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	socket.Listen(func(frame []byte) { target.Answers(heard, frame) }, heard.Lost)
	return v, nil
}

// open asks for a conversation and waits for it.
func open(socket *wire.Socket, room int) (string, error) {
	if err := socket.Write([]byte(`{"type":"open","clientId":"` + target.ID(int64(room)) + `"}`)); err != nil {
		return "", err
	}
	frame, err := socket.Await(isType("opened"))
	if err != nil {
		return "", fmt.Errorf("open a conversation: %w", err)
	}
	return wire.Field(frame, "conversation"), nil
}

// socket connects and says hello.
func (c *client) socket(ctx context.Context, room int, header http.Header, hello string) (*wire.Socket, error) {
	socket, err := wire.Dial(ctx, wire.Door{
		URL: "wss://" + target.Host + "/api/v1/ws", Header: header, Subprotocols: []string{protocol.Subprotocol},
		TLS: c.tls, Dial: c.dialFrom(room),
	})
	if err != nil {
		return nil, err
	}
	if err := socket.Write([]byte(hello)); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	if _, err := socket.Await(isType("welcome")); err != nil {
		return nil, errors.Join(fmt.Errorf("say hello: %w", err), socket.Close())
	}
	return socket, nil
}

// isType waits for a frame of that type; an error frame ends the wait.
func isType(wanted string) func([]byte) (bool, error) {
	return func(frame []byte) (bool, error) {
		kind := wire.Field(frame, "type")
		if kind == "error" {
			return false, fmt.Errorf("%s: %s", wire.Field(frame, "code"), wire.Field(frame, "message"))
		}
		return kind == wanted, nil
	}
}

// Send implements target.Visitor.
func (v *visitor) Send(n int64) error {
	return v.Write([]byte(`{"type":"send","conversation":"` + v.conversation + `","clientId":"` + target.ID(n) +
		`","body":"` + target.Body(n) + `"}`))
}

// post makes a request from a room's address and decodes the answer.
func (c *client) post(ctx context.Context, room int, path string, body []byte, out any) ([]*http.Cookie, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, origin+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	r.Header.Set("Origin", origin)
	r.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{TLSClientConfig: c.tls, DialContext: c.dialFrom(room), DisableKeepAlives: true}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return nil, fmt.Errorf("post %s: %w", path, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode >= http.StatusBadRequest {
		text, _ := io.ReadAll(response.Body)
		return nil, fmt.Errorf("post %s: %s: %s", path, response.Status, text)
	}
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		return nil, fmt.Errorf("post %s: decode answer: %w", path, err)
	}
	return response.Cookies(), nil
}

// agentRoom stands for the agent, who is at home in none.
const agentRoom = 1<<16 - 1

// dialFrom connects as the ingress gateway does. Each visitor has an address of their own, as in life: the server's
// limits are per address and stay as they are.
func (c *client) dialFrom(room int) func(ctx context.Context, network, _ string) (net.Conn, error) {
	//nolint:gosec // The two bytes of a room.
	source := &net.TCPAddr{IP: net.IPv4(198, 18, byte(room>>8), byte(room)), Port: 4711}
	address := c.address
	if room == agentRoom {
		address = c.agentAddress
	}
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, fmt.Errorf("dial: %w", err)
		}
		header := proxyproto.HeaderProxyFromAddrs(2, source, conn.RemoteAddr())
		if _, err := header.WriteTo(conn); err != nil {
			return nil, errors.Join(fmt.Errorf("write PROXY header: %w", err), conn.Close())
		}
		return conn, nil
	}
}
