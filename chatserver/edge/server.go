// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package edge is the chat server's face to the network: TLS behind the PROXY protocol, HTTP routes and the WebSocket,
// with the limits and checks that come before anything else sees a request.
package edge

import (
	"context"
	"log/slog"
	"net/http"
	"sync"

	"github.com/google/uuid"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/chatserver/conversation"
	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/trust"
)

// Identity is what the edge needs to know who is who.
type Identity interface {
	NewVisitor(ctx context.Context) (identity.Principal, redacted.String, error)
	Visitor(ctx context.Context, token redacted.String) (identity.Principal, error)
	SignIn(ctx context.Context, email, password redacted.String) (identity.Principal, redacted.String, error)
	Agent(ctx context.Context, cookie redacted.String) (identity.Principal, error)
	SignOut(ctx context.Context, p identity.Principal) error
	Redeem(ctx context.Context, token, password redacted.String) (identity.Redeemed, error)
}

// Engine is what the edge needs of the conversations.
type Engine interface {
	Submit(p identity.Principal, frame protocol.Submission, reply func(protocol.Frame))
	Open(ctx context.Context, p identity.Principal, open *protocol.Open) protocol.Frame
	Subscribe(ctx context.Context, p identity.Principal, cursors map[uuid.UUID]protocol.Cursor) (
		*conversation.Subscription, error)
	Typing(ctx context.Context, p identity.Principal, typing *protocol.Typing) error
	Receipt(ctx context.Context, p identity.Principal, receipt *protocol.Receipt) error
	Heads(ctx context.Context, p identity.Principal) (map[uuid.UUID]int64, error)
	EndSessions(ids ...uuid.UUID)
	Available() bool
	Epoch() int64
}

// Config has what a server is made of.
type Config struct {
	// Host is the endpoint's name, without port.
	Host string
	// AllowedOrigins may frame the visitor's panel.
	AllowedOrigins []string
	Info           protocol.Info
	Identity       Identity
	Engine         Engine
	Search         Search
	// Site serves the pages, Trust what the operator says about the tenant.
	Site    http.Handler
	Trust   http.Handler
	Limits  Limits
	Timing  Timing
	Clock   clock.WithTickerAndDelayedExecution
	Logger  *slog.Logger
	Metrics *Metrics
}

// Server answers visitors and agents.
type Server struct {
	config  Config
	log     *slog.Logger
	clock   clock.WithTickerAndDelayedExecution
	metrics *Metrics
	limits  *limiters
	handler http.Handler
	// departing lets sockets end one after the other. When ten thousand are cut off at the same moment, those who stay
	// wait behind one of them and not behind all.
	departing sync.Mutex
	// connections are the open ones.
	connections *registry
}

// NewServer makes a server; Serve or Handler let it be reached.
func NewServer(c Config) *Server {
	s := &Server{
		config: c, log: c.Logger, clock: c.Clock, metrics: c.Metrics,
		limits: newLimiters(c.Limits, c.Clock, c.Metrics), connections: newRegistry(),
	}
	s.handler = s.recover(s.checkHost(s.limitRequests(s.routes())))
	return s
}

// Handler answers requests whose RemoteAddr is the client's own.
func (s *Server) Handler() http.Handler { return s.handler }

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	policy := newPolicies(s.config.AllowedOrigins)
	file := func(pattern string, headers http.Header, files http.Handler) {
		mux.Handle(pattern, s.count(pattern, with(headers, files)))
	}
	page := func(pattern string, headers http.Header) { file(pattern, headers, s.config.Site) }
	page("GET /widget.js", policy.script)
	page("GET /assets/", policy.asset)
	page("GET /widget/", policy.widget)
	page("GET /console/", policy.console)
	for _, path := range []string{trust.DocumentPath, trust.SchemaPath, trust.FeedPath} {
		file("GET "+path, policy.trust, s.config.Trust)
	}
	within := func(body int64, pattern string, h handlerFunc) {
		mux.Handle(pattern, s.count(pattern, with(policy.api, s.api(body, h))))
	}
	api := func(pattern string, h handlerFunc) { within(protocol.MaxBody, pattern, h) }
	api("GET /api/v1/info", s.info)
	api("POST /api/v1/visitor/session", s.createVisitor)
	api("POST /api/v1/agent/session", s.signIn)
	api("GET /api/v1/agent/session", s.whoAmI)
	api("DELETE /api/v1/agent/session", s.signOut)
	api("POST /api/v1/agent/invitation", s.redeem)
	api("POST /api/v1/agent/search", s.search)
	api("GET /api/v1/ws", s.socket)
	within(protocol.MaxHello, "POST /api/v1/stream", s.openStream)
	within(protocol.MaxBatchBody, "POST /api/v1/frames", s.postFrames)
	api("/", func(http.ResponseWriter, *http.Request) error {
		return &apiError{code: protocol.NotFound, message: "no such path"}
	})
	return mux
}
