// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/chattenant/chattenant/api/serverconfig"
)

func newRaiseEpoch(load loader) *cobra.Command {
	return &cobra.Command{
		Use:   "raise-epoch",
		Short: "Say that an earlier state of the database was put back: clients read everything anew",
		Long: "Raise-epoch is for whoever puts back a snapshot of the database's volume, while no chat server runs:\n" +
			"what was acknowledged since is gone, and nothing in the database tells. Every client then forgets what\n" +
			"it has and reads everything anew. Other restores (a dump, a recovery to a point in time, a promoted\n" +
			"standby) are noticed without it. It prints the new epoch. Raising it needlessly costs traffic only.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := load()
			if err != nil {
				return err
			}
			return raiseEpoch(cmd.Context(), config, cmd.OutOrStdout())
		},
	}
}

func raiseEpoch(ctx context.Context, config *serverconfig.ChatServerConfiguration, out io.Writer) error {
	db, err := openStore(ctx, config)
	if err != nil {
		return err
	}
	defer db.Close()
	epoch, err := db.RaiseEpoch(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, epoch)
	return err
}
