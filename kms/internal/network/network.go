// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package network is the only way out of the helper: TLS to the hosts that a key takes, and to nothing else.
package network

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chattenant/chattenant/kms/internal/failure"
)

const (
	dialTimeout = 5 * time.Second
	// largestAnswer is far more than any answer takes.
	largestAnswer = 1 << 20
)

// Dial opens a connection.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Way is how hosts are reached. The zero value is the machine's network, and whom the machine trusts.
type Way struct {
	Dial  Dial
	Roots *x509.CertPool
}

// Network reaches the hosts of one key, and remembers what went wrong last on the way, since not every SDK's errors say
// so. Safe for concurrent use.
type Network struct {
	hosts []string
	way   Way

	mu      sync.Mutex
	trouble string
}

// To restricts a way to port 443 of some hosts.
func (w Way) To(hosts []string) *Network {
	if w.Dial == nil {
		w.Dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	return &Network{hosts: hosts, way: w}
}

// Dial connects to one of the key's hosts. It sends nothing through a proxy.
func (n *Network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port != "443" || !slices.Contains(n.hosts, host) {
		return nil, n.Note(address, fmt.Errorf("connect to %s: %w", address, failure.ErrForeign))
	}
	conn, err := n.way.Dial(ctx, network, address)
	return conn, n.Note(host, err)
}

// TLS is the configuration of every connection.
func (n *Network) TLS() *tls.Config {
	return &tls.Config{RootCAs: n.way.Roots, MinVersion: tls.VersionTLS12}
}

// Client speaks HTTP with the key's hosts. It follows no redirect.
func (n *Network) Client() *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: watched{n, &http.Transport{
			DialContext: n.Dial, TLSClientConfig: n.TLS(), TLSHandshakeTimeout: dialTimeout, ForceAttemptHTTP2: true,
		}},
	}
}

// Note remembers an error on the way to host, and returns it.
func (n *Network) Note(host string, err error) error {
	if cause, known := failure.Cause(err); known {
		n.note(host + ": " + cause)
	}
	return err
}

func (n *Network) note(trouble string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.trouble = trouble
}

// Trouble says what went wrong last, and what has to be open, with ": " before it.
func (n *Network) Trouble() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return fmt.Sprintf(": %s (it takes a way to port 443 of %s)", cmp.Or(n.trouble, "no answer in time"),
		strings.Join(n.hosts, ", "))
}

// watched notes failures and refusals, and cuts off answers that are longer than any can be.
type watched struct {
	n *Network
	http.RoundTripper
}

func (w watched) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := w.RoundTripper.RoundTrip(request)
	if err != nil {
		return nil, w.n.Note(request.URL.Host, err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		w.n.note(fmt.Sprintf("%s answers %d %s", request.URL.Host, response.StatusCode,
			http.StatusText(response.StatusCode)))
	}
	response.Body = limited{io.LimitReader(response.Body, largestAnswer), response.Body}
	return response, nil
}

type limited struct {
	io.Reader
	io.Closer
}
