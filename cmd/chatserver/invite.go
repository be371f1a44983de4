// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/identity"
	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/seal"
	"github.com/chattenant/chattenant/chatserver/store"
)

// invitation is what invite was asked for.
type invitation struct {
	email, displayName string
	// port is the public one, if it is not 443.
	port      string
	tokenOnly bool
	redeem    bool
}

func newInvite(load loader) *cobra.Command {
	var i invitation
	cmd := &cobra.Command{
		Use:   "invite",
		Short: "Invite an agent: print a link that sets the account's password once",
		Long: "Invite makes an account for an address, if there is none, and prints a single-use link, valid for 72 hours,\n" +
			"with which its owner sets the password. For an existing account that resets the password.\n" +
			"With --redeem the password is read from the first line of standard input and set at once.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := load()
			if err != nil {
				return err
			}
			return i.run(cmd.Context(), config, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&i.email, "email", "", "the agent's address, used to sign in")
	flags.StringVar(&i.displayName, "display-name", "", "the name visitors see")
	flags.StringVar(&i.port, "port", "", "public port of the endpoint in the printed link, if it is not 443")
	flags.BoolVar(&i.tokenOnly, "token", false, "print the bare token instead of a link")
	flags.BoolVar(&i.redeem, "redeem", false, "set the password read from standard input instead of printing anything")
	cobra.CheckErr(errors.Join(cmd.MarkFlagRequired("email"), cmd.MarkFlagRequired("display-name")))
	cmd.MarkFlagsMutuallyExclusive("token", "redeem")
	return cmd
}

func (i *invitation) run(
	ctx context.Context, config *serverconfig.ChatServerConfiguration, in io.Reader, out io.Writer,
) error {
	if err := i.validate(); err != nil {
		return err
	}
	people, closeStore, err := openIdentity(ctx, config)
	if err != nil {
		return err
	}
	defer closeStore()
	token, err := people.Invite(ctx, redacted.New(i.email), redacted.New(i.displayName))
	if err != nil {
		return err
	}
	if i.redeem {
		return redeem(ctx, people, token, in)
	}
	_, err = fmt.Fprintln(out, i.link(config.Endpoint.Host, token))
	return err
}

func (i *invitation) validate() error {
	contact := protocol.Contact{Email: protocol.NewText(i.email), Name: protocol.NewText(i.displayName)}
	if err := contact.Validate(); err != nil || i.email == "" {
		return errors.New("--email: want an address with one @ and no spaces")
	}
	if n := utf8.RuneCountInString(strings.TrimSpace(i.displayName)); n < 1 || n > protocol.MaxDisplayName {
		return fmt.Errorf("--display-name: want 1 to %d characters", protocol.MaxDisplayName)
	}
	return nil
}

// link carries the token in the fragment, which browsers keep to themselves.
func (i *invitation) link(host string, token redacted.String) string {
	if i.tokenOnly {
		return token.Reveal()
	}
	if i.port != "" {
		host = net.JoinHostPort(host, i.port)
	}
	u := url.URL{Scheme: "https", Host: host, Path: "/console/", Fragment: "invitation=" + token.Reveal()}
	return u.String()
}

func redeem(ctx context.Context, people *identity.Service, token redacted.String, in io.Reader) error {
	line, err := bufio.NewReader(io.LimitReader(in, protocol.MaxBody)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read password: %w", err)
	}
	redeemed, err := people.Redeem(ctx, token, redacted.New(strings.TrimRight(line, "\r\n")))
	if err != nil {
		return err
	}
	// Signing in is the agent's own business.
	return people.SignOut(ctx, redeemed.Agent)
}

func openIdentity(
	ctx context.Context, config *serverconfig.ChatServerConfiguration,
) (people *identity.Service, closeStore func(), err error) {
	kek, err := seal.ReadKEK(config.Sealing.SecretKey.File)
	if err != nil {
		return nil, nil, err
	}
	db, err := store.Open(ctx, store.Config{
		Database: config.Database, Tenant: config.Tenant.Name,
		KEK: kek, KEKGeneration: config.Sealing.SecretKey.Generation, Logger: newLogger(),
	})
	if err != nil {
		return nil, nil, err
	}
	people, err = identity.NewService(db)
	if err != nil {
		db.Close()
		return nil, nil, err
	}
	return people, db.Close, nil
}
