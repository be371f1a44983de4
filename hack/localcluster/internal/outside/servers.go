// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package outside plays the servers of the internet: whoever reaches one is told so, as JSON over HTTP.
package outside

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chattenant/chattenant/hack/localcluster/internal/pki"
	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

// TLSPorts and PlainPorts are open on every server; PlainPorts also on the metadata address. UDPPorts echo datagrams,
// one of them where QUIC would be spoken.
var (
	TLSPorts   = []int{443, 8443}
	PlainPorts = []int{80}
	UDPPorts   = []int{7, 443}
)

// redirectPath answers with a redirect to what the query's "to" says, as a recipient might that was taken over.
const redirectPath = "/redirect"

const (
	dnsPort       = 53
	headerTimeout = 10 * time.Second
)

// Echo is what a server says about the request that reached it.
type Echo struct {
	// Local is the address and port that was reached, Remote the one it came from.
	Local, Remote string
	// ServerName is the name asked for in the TLS handshake, Host the one in the request.
	ServerName, Host string
	// Method and Path are the request's.
	Method, Path string
}

// Serve runs every server until ctx ends. authority certifies whatever name a client asks for.
func Serve(ctx context.Context, authority *pki.Authority) error {
	group, ctx := errgroup.WithContext(ctx)
	addresses := []string{topology.MetadataAddress}
	for _, server := range topology.OutsideServers() {
		addresses = append(addresses, server.Address)
		for _, port := range TLSPorts {
			group.Go(func() error { return serveTLS(ctx, endpoint(server.Address, port), authority) })
		}
		for _, port := range UDPPorts {
			group.Go(func() error { return echoDatagrams(ctx, endpoint(server.Address, port)) })
		}
	}
	for _, address := range addresses {
		for _, port := range PlainPorts {
			group.Go(func() error { return servePlain(ctx, endpoint(address, port)) })
		}
	}
	group.Go(func() error { return new(Names).Serve(ctx, endpoint(topology.OutsideNames, dnsPort)) })
	return group.Wait()
}

func endpoint(address string, port int) string { return net.JoinHostPort(address, fmt.Sprint(port)) }

func serveTLS(ctx context.Context, address string, authority *pki.Authority) error {
	server := newServer(ctx, address)
	server.TLSConfig = authority.ServerConfig()
	return server.ListenAndServeTLS("", "")
}

func servePlain(ctx context.Context, address string) error {
	return newServer(ctx, address).ListenAndServe()
}

func newServer(ctx context.Context, address string) *http.Server {
	server := &http.Server{Addr: address, Handler: http.HandlerFunc(answer), ReadHeaderTimeout: headerTimeout}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return server
}

func answer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == redirectPath {
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound) //nolint:gosec // the caller says where to, on purpose
		return
	}
	echo := Echo{Remote: r.RemoteAddr, Host: r.Host, Method: r.Method, Path: r.URL.Path}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		echo.Local = local.String()
	}
	if r.TLS != nil {
		echo.ServerName = r.TLS.ServerName
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(echo)
}

func echoDatagrams(ctx context.Context, address string) error {
	connection, err := (&net.ListenConfig{}).ListenPacket(ctx, "udp", address)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = connection.Close() })
	buffer := make([]byte, 1500)
	for {
		length, peer, err := connection.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		_, _ = connection.WriteTo(buffer[:length], peer)
	}
}
