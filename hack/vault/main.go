// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Command vault is a Vault server with a transit engine and the logins that the chat server knows, for tests: Vault's
// own core, storage and HTTP interface, without the plug-ins that its command brings along. Whoever starts it
// initialises it over HTTP, as one does with any Vault.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/physical/file"
	"github.com/hashicorp/vault/vault"
)

type options struct{ data, address, certificate, key string }

func main() {
	var o options
	flag.StringVar(&o.data, "data", "", "folder for what it stores")
	flag.StringVar(&o.address, "address", "127.0.0.1:0", "where to listen")
	flag.StringVar(&o.certificate, "certificate", "", "file with the server's certificate")
	flag.StringVar(&o.key, "key", "", "file with the certificate's key")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "vault:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. It prints the address once it can be reached.
func run(ctx context.Context, o options) error {
	core, err := newCore(o.data)
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(o.certificate, o.key)
	if err != nil {
		return fmt.Errorf("load certificate: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.address)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: vaulthttp.Handler.Handler(&vault.HandlerProperties{
			Core: core, ListenerConfig: &configutil.Listener{Type: "tcp", MaxRequestSize: vaulthttp.DefaultMaxRequestSize},
		}),
		ReadHeaderTimeout: time.Minute,
		// Clients that refuse its certificate are what the tests are about.
		ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12,
		},
	}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	fmt.Println(listener.Addr())
	if err := server.ServeTLS(listener, "", ""); ctx.Err() == nil {
		return err
	}
	return core.Shutdown()
}

func newCore(data string) (*vault.Core, error) {
	logger := hclog.NewNullLogger()
	storage, err := file.NewFileBackend(map[string]string{"path": data}, logger)
	if err != nil {
		return nil, fmt.Errorf("open storage: %w", err)
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical: storage, Logger: logger, DisableMlock: true,
		BuiltinRegistry: registry{}, LogicalBackends: engines, CredentialBackends: logins,
	})
	if err != nil {
		return nil, fmt.Errorf("make the core: %w", err)
	}
	return core, nil
}
