// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/chattenant/chattenant/chatserver/seal"
	"github.com/chattenant/chattenant/chatserver/store"
)

func newRotateKeys(load loader) *cobra.Command {
	var visitor string
	cmd := &cobra.Command{
		Use:   "rotate-keys",
		Short: "Have the running replicas replace the tenant's keys",
		Long: "Rotate-keys notes in the database that the keys are to be replaced which seal the tenant's data and\n" +
			"index it, and returns at once. The running replicas do it in the background, without a pause in service;\n" +
			"the metric chattenant_keyset_rotation_remaining_rows tells how far they are. Asking again meanwhile changes\n" +
			"nothing. With --visitor it is the keys of one visitor, and everything sealed with them.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := load()
			if err != nil {
				return err
			}
			request := requestTenant
			if visitor != "" {
				id, err := uuid.Parse(visitor)
				if err != nil {
					return fmt.Errorf("--visitor: %w", err)
				}
				request = func(ctx context.Context, db *store.Store, out io.Writer) error {
					return requestVisitor(ctx, db, id, out)
				}
			}
			db, err := openStore(cmd.Context(), config)
			if err != nil {
				return err
			}
			defer db.Close()
			return request(cmd.Context(), db, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&visitor, "visitor", "", "id of the one visitor whose keys to replace")
	return cmd
}

func requestTenant(ctx context.Context, db *store.Store, out io.Writer) error {
	for _, which := range []seal.Keyset{seal.Sealing, seal.Index} {
		fresh, err := db.RequestRotation(ctx, which)
		if err != nil {
			return err
		}
		tell(out, fmt.Sprintf("%s keyset", which), fresh)
	}
	return nil
}

func requestVisitor(ctx context.Context, db *store.Store, visitor uuid.UUID, out io.Writer) error {
	fresh, err := db.RequestSubjectRotation(ctx, visitor)
	if err != nil {
		return err
	}
	tell(out, "visitor's keyset", fresh)
	return nil
}

func tell(out io.Writer, what string, fresh bool) {
	if fresh {
		fmt.Fprintln(out, what+": rotation requested")
		return
	}
	fmt.Fprintln(out, what+": rotation already under way")
}
