// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package client speaks the chat protocol as visitor or agent. It keeps its connection, resends what was not answered
// under the same client id, and hands every event to its owner once and in order.
package client

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
	"net/url"
	"time"

	"github.com/google/uuid"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
)

// Config says how to reach an endpoint.
type Config struct {
	// Endpoint is the address as a browser reaches it: https://host[:port].
	Endpoint string
	// TLS has the roots to trust; nil trusts the system's. The server's name is the endpoint's.
	TLS *tls.Config
	// Dial makes the connection; nil dials the endpoint's host. It lets a test reach a name that does not resolve.
	Dial DialFunc
	// Transport is how sessions connect.
	Transport Transport
	// Clock times reconnects; nil is the real one.
	Clock clock.WithDelayedExecution
}

// DialFunc makes a network connection.
type DialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// Client makes requests to one endpoint. Safe for concurrent use.
type Client struct {
	config Config
	origin string
	host   string
	http   *http.Client
	// streams is for answers that do not end.
	streams *http.Client
}

// requestTimeout bounds one HTTP request.
const requestTimeout = 15 * time.Second

const cookieName = "__Host-session"

// New makes a client. It connects on first use.
func New(config Config) (*Client, error) {
	u, err := url.Parse(config.Endpoint)
	if err != nil || u.Scheme != "https" || u.Host == "" || config.Endpoint != "https://"+u.Host {
		return nil, fmt.Errorf("endpoint %q: want https://host[:port]", config.Endpoint)
	}
	if config.TLS == nil {
		config.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if config.Clock == nil {
		config.Clock = clock.RealClock{}
	}
	transport := &http.Transport{TLSClientConfig: config.TLS.Clone(), DialContext: config.Dial}
	return &Client{
		config: config, origin: config.Endpoint, host: u.Host,
		http:    &http.Client{Transport: transport, Timeout: requestTimeout},
		streams: &http.Client{Transport: transport},
	}, nil
}

// Close ends idle connections. Sessions are ended by their context.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Credentials prove who a session speaks for: a visitor's token or an agent's cookie.
type Credentials struct {
	// ID is the visitor's or agent's.
	ID     uuid.UUID
	token  redacted.String
	cookie redacted.String
}

// VisitorCredentials are those of a visitor whose token is known.
func VisitorCredentials(id uuid.UUID, token redacted.String) Credentials {
	return Credentials{ID: id, token: token}
}

// Error is a refusal by the server.
type Error struct {
	Code       protocol.Code
	Message    string
	RetryAfter time.Duration
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Message) }

// retryable tells whether the same may succeed later.
func (e *Error) retryable() bool {
	return e.Code == protocol.Unavailable || e.Code == protocol.RateLimited || e.Code == protocol.Internal
}

// Info returns what the endpoint tells anyone.
func (c *Client) Info(ctx context.Context) (protocol.Info, error) {
	var info protocol.Info
	_, err := c.request(ctx, http.MethodGet, "/api/v1/info", nil, Credentials{}, &info)
	return info, err
}

// NewVisitor makes an anonymous visitor.
func (c *Client) NewVisitor(ctx context.Context) (Credentials, error) {
	var session protocol.VisitorSession
	_, err := c.request(ctx, http.MethodPost, "/api/v1/visitor/session", struct{}{}, Credentials{}, &session)
	return Credentials{ID: session.Visitor, token: session.Token.String}, err
}

// SignIn signs an agent in.
func (c *Client) SignIn(ctx context.Context, email, password redacted.String) (Credentials, error) {
	body := protocol.SignInRequest{Email: protocol.Text{String: email}, Password: protocol.Text{String: password}}
	return c.startSession(ctx, "/api/v1/agent/session", body)
}

// Redeem sets the password of an invited account and signs it in.
func (c *Client) Redeem(ctx context.Context, invitation, password redacted.String) (Credentials, error) {
	body := protocol.InvitationRequest{Token: protocol.Text{String: invitation}, Password: protocol.Text{String: password}}
	return c.startSession(ctx, "/api/v1/agent/invitation", body)
}

var errNoCookie = errors.New("the server set no session cookie")

func (c *Client) startSession(ctx context.Context, path string, body any) (Credentials, error) {
	var session protocol.AgentSession
	cookies, err := c.request(ctx, http.MethodPost, path, body, Credentials{}, &session)
	if err != nil {
		return Credentials{}, err
	}
	for _, cookie := range cookies {
		if cookie.Name == cookieName {
			return Credentials{ID: session.Agent, cookie: redacted.New(cookie.Value)}, nil
		}
	}
	return Credentials{}, errNoCookie
}

// WhoAmI returns the agent that is signed in.
func (c *Client) WhoAmI(ctx context.Context, agent Credentials) (protocol.AgentSession, error) {
	var session protocol.AgentSession
	_, err := c.request(ctx, http.MethodGet, "/api/v1/agent/session", nil, agent, &session)
	return session, err
}

// SignOut ends an agent's session and its sockets.
func (c *Client) SignOut(ctx context.Context, agent Credentials) error {
	_, err := c.request(ctx, http.MethodDelete, "/api/v1/agent/session", nil, agent, nil)
	return err
}

// request sends body as JSON and decodes the answer into out; either may be nil. It returns the cookies set.
func (c *Client) request(
	ctx context.Context, method, path string, body any, who Credentials, out any,
) ([]*http.Cookie, error) {
	var payload io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		payload = bytes.NewReader(data)
	}
	r, err := c.newRequest(ctx, method, path, payload, who)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer func() { _ = response.Body.Close() }()
	return response.Cookies(), decodeAnswer(response, out)
}

func (c *Client) newRequest(
	ctx context.Context, method, path string, body io.Reader, who Credentials,
) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.origin+path, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	c.decorate(r.Header, who)
	r.Header.Set("Content-Type", "application/json")
	return r, nil
}

// decorate adds what a browser would.
func (c *Client) decorate(h http.Header, who Credentials) {
	h.Set("Origin", c.origin)
	if !who.cookie.IsEmpty() {
		h.Set("Cookie", cookieName+"="+who.cookie.Reveal())
	}
}

// maxAnswer bounds an answer of the HTTP half.
const maxAnswer = 1 << 20

func decodeAnswer(response *http.Response, out any) error {
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return errorOf(response.StatusCode, data)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("decode answer: %w", err)
	}
	return nil
}

func errorOf(status int, data []byte) error {
	var body protocol.ErrorBody
	if err := json.Unmarshal(data, &body); err != nil || body.Error.Code == "" {
		return fmt.Errorf("the server answered %d without saying why", status)
	}
	e := body.Error
	return &Error{Code: e.Code, Message: e.Message, RetryAfter: time.Duration(e.RetryAfterMs) * time.Millisecond}
}
