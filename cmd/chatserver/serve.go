// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/certfile"
	"github.com/chattenant/chattenant/chatserver/conversation"
	"github.com/chattenant/chattenant/chatserver/edge"
	"github.com/chattenant/chattenant/chatserver/server"
	"github.com/chattenant/chattenant/chatserver/store"
	"github.com/chattenant/chattenant/chatserver/trust"
	"github.com/chattenant/chattenant/chatserver/web"
)

func newServe(load loader) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Serve visitors and agents until told to stop",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := load()
			if err != nil {
				return err
			}
			return serve(cmd.Context(), config)
		},
	}
}

func serve(ctx context.Context, config *serverconfig.ChatServerConfiguration) error {
	site, err := web.Built()
	if err != nil {
		return err
	}
	public, health, err := listen(ctx, config.Listen)
	if err != nil {
		return err
	}
	s, err := server.New(config, server.Options{
		Public: public, Health: health, Site: site,
		Limits: edge.DefaultLimits(memoryLimit()), Timing: edge.DefaultTiming(), Logger: newLogger(),
		CertificatePoll: certfile.PollInterval, TrustPoll: trust.PollInterval, ReplicaPoll: conversation.DefaultPollInterval,
	})
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// memoryLimit is what GOMEMLIMIT says, or more than any machine has.
func memoryLimit() int64 { return debug.SetMemoryLimit(-1) }

func listen(ctx context.Context, addresses serverconfig.Listen) (public, health net.Listener, err error) {
	var lc net.ListenConfig
	if public, err = lc.Listen(ctx, "tcp", addresses.Public); err != nil {
		return nil, nil, fmt.Errorf("listen for clients: %w", err)
	}
	if health, err = lc.Listen(ctx, "tcp", addresses.Health); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("listen for probes: %w", err), public.Close())
	}
	return public, health, nil
}

func newMigrate(load loader) *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database schema up to this version and stop",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := load()
			if err != nil {
				return err
			}
			return store.Migrate(cmd.Context(), config.Database, newLogger())
		},
	}
}
