// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Command gateway runs the network edges. Its subcommand ingress, shared by all tenants, routes visitors and agents to
// their tenant by TLS server name. Its subcommand egress, one per tenant, lets the chat server reach declared
// recipients only. Neither terminates the TLS of those who talk through it.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := newCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	level := slog.LevelInfo
	root := &cobra.Command{
		Use:               "gateway",
		Short:             "Network edges of ChatTenant",
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			cmd.SetContext(withLogging(cmd.Context(), level))
		},
	}
	root.PersistentFlags().TextVar(&level, "log-level", level, "lowest level that is logged: DEBUG, INFO, WARN or ERROR")
	root.AddCommand(newIngressCommand(), newEgressCommand())
	return root
}
