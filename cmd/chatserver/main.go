// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Command chatserver is one tenant's chat server.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/chattenant/chattenant/api/serverconfig"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := newRoot().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "chatserver:", err)
		stop()
		os.Exit(1)
	}
}

// defaultConfig is where the operator mounts the configuration.
const defaultConfig = "/etc/chattenant/config.yaml"

func newRoot() *cobra.Command {
	var configFile string
	root := &cobra.Command{
		Use:           "chatserver",
		Short:         "Serve one tenant's conversations",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&configFile, "config", defaultConfig, "configuration file")
	load := func() (*serverconfig.ChatServerConfiguration, error) { return loadConfig(configFile) }
	root.AddCommand(
		newServe(load), newInvite(load), newRotateKeys(load), newMigrate(load), newRaiseEpoch(load), newProbeIsolation(),
		newVersion(),
	)
	return root
}

// loader reads the configuration when a command runs.
type loader func() (*serverconfig.ChatServerConfiguration, error)

func loadConfig(file string) (*serverconfig.ChatServerConfiguration, error) {
	data, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return serverconfig.Parse(data)
}

// newLogger writes one JSON object per line with the keys of Kubernetes components.
func newLogger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				a.Key = "ts"
			}
			return a
		},
	}))
}
