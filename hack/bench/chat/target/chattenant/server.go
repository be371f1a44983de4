// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package chattenant measures the product: its own server, with its own limits and time-outs, behind TLS and a PROXY
// header.
package chattenant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/certfile"
	"github.com/chattenant/chattenant/chatserver/conversation"
	"github.com/chattenant/chattenant/chatserver/edge"
	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/seal/kek"
	"github.com/chattenant/chattenant/chatserver/server"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/trust"
	"github.com/chattenant/chattenant/hack/bench/chat/target"
)

const (
	agentEmail = "agent@acme.example"
	tenant     = "acme"
	drain      = 1
)

// Target is the product.
type Target struct{}

// Kept implements target.Target.
func (Target) Kept() string { return `SELECT client_id::text FROM event` }

// Serve implements target.Server.
func (Target) Serve(ctx context.Context, site target.Site, listener net.Listener) error {
	if site.Plain {
		return errors.New("the product does not serve without TLS")
	}
	if err := employ(ctx, site); err != nil {
		return err
	}
	return serve(ctx, site, listener)
}

// serve runs a replica.
func serve(ctx context.Context, site target.Site, listener net.Listener) error {
	health, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for probes: %w", err)
	}
	s, err := server.New(config(site), server.Options{
		Public: listener, Health: health, Site: http.NotFoundHandler(),
		// What a server without a memory limit gives people; the load is spread over enough of them.
		Limits: edge.DefaultLimits(math.MaxInt64), Timing: edge.DefaultTiming(), Logger: logger(),
		CertificatePoll: certfile.PollInterval, TrustPoll: trust.PollInterval, ReplicaPoll: conversation.DefaultPollInterval,
	})
	if err != nil {
		return fmt.Errorf("make server: %w", err)
	}
	return s.Run(ctx)
}

// logger keeps standard output, where the parent listens, free.
func logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func config(site target.Site) *serverconfig.ChatServerConfiguration {
	return &serverconfig.ChatServerConfiguration{
		APIVersion: serverconfig.APIVersion, Kind: serverconfig.Kind,
		Tenant: serverconfig.Tenant{
			Name: tenant, DisplayName: "Acme", PolicyURL: "https://www.acme.example/privacy",
			Region: serverconfig.Region{Name: "eu-central", DisplayName: "Frankfurt", Jurisdiction: "DE"},
		},
		Endpoint: serverconfig.Endpoint{Host: target.Host},
		Listen:   serverconfig.Listen{Public: "127.0.0.1:0", Health: "127.0.0.1:0"},
		TLS:      site.Endpoint, Database: site.Database,
		Sealing:      sealing(site),
		TrustFile:    os.DevNull,
		DrainSeconds: drain,
	}
}

func sealing(site target.Site) serverconfig.Sealing {
	return serverconfig.Sealing{KeyEncryptionKey: serverconfig.KeyEncryptionKey{
		SecretKey: &serverconfig.SecretKey{File: site.KEKFile, Generation: 1},
	}}
}

// employ makes the agent's account.
func employ(ctx context.Context, site target.Site) error {
	keys, err := kek.Open(sealing(site), nil)
	if err != nil {
		return fmt.Errorf("read key: %w", err)
	}
	db, err := store.Open(ctx, store.Config{Database: site.Database, Tenant: tenant, Keys: keys, Logger: logger()})
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	defer db.Close()
	people, err := identity.NewService(db)
	if err != nil {
		return fmt.Errorf("make identity service: %w", err)
	}
	token, err := people.Invite(ctx, redacted.New(agentEmail), redacted.New("Grace"))
	if err != nil {
		return fmt.Errorf("invite agent: %w", err)
	}
	if _, err := people.Redeem(ctx, token, redacted.New(site.Password)); err != nil {
		return fmt.Errorf("redeem invitation: %w", err)
	}
	return nil
}
