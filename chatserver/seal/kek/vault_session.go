// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package kek

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/openbao/openbao/api/v2"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/egress"
)

const (
	// sessionTime is how long credentials are used before the files are read again: long enough for the calls that belong
	// together, short enough that nothing has to be renewed.
	sessionTime = time.Minute
	// largestAnswer is far more than any of the few calls made here gets.
	largestAnswer = 1 << 20
	dialTimeout   = 5 * time.Second
)

// vaultSession is a client that has logged in, made anew when it is a minute old or was ended. Safe for concurrent use.
type vaultSession struct {
	config serverconfig.VaultTransit
	dial   dialFunc
	clock  clock.PassiveClock

	mu      sync.Mutex
	current *api.Client
	since   time.Time
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// dialThrough connects by way of the egress gateway, or directly where there is none.
func dialThrough(gateway *egressconfig.Client) dialFunc {
	if gateway == nil {
		return (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	return egress.New(*gateway).DialContext
}

// client says whether the session is older than the call.
func (s *vaultSession) client(ctx context.Context) (client *api.Client, older bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && s.clock.Since(s.since) < sessionTime {
		return s.current, true, nil
	}
	s.current = nil
	if client, err = newVaultClient(s.config, s.dial); err != nil {
		return nil, false, err
	}
	if err := logIn(ctx, client, s.config.Auth); err != nil {
		return nil, false, err
	}
	s.current, s.since = client, s.clock.Now()
	return client, false, nil
}

// end makes the next call log in again.
func (s *vaultSession) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = nil
}

// newVaultClient takes nothing from the environment and follows no redirect. It does not try again either: those who
// call it do.
func newVaultClient(config serverconfig.VaultTransit, dial dialFunc) (*api.Client, error) {
	tlsConfig, err := vaultTLS(config)
	if err != nil {
		return nil, err
	}
	client, err := api.NewClient(&api.Config{
		Address: config.Address, DisableEnvironment: true, DisableRedirects: true, Timeout: callTimeout,
		HttpClient: &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: brief{&http.Transport{
				TLSClientConfig: tlsConfig, TLSHandshakeTimeout: dialTimeout, ForceAttemptHTTP2: true,
				DialContext: dial,
				// An idle connection would be cut by whatever is in between before the next hour's calls.
				IdleConnTimeout: sessionTime,
			}},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("make client of %s: %w", config.Address, err)
	}
	client.SetNamespace(config.Namespace)
	return client, nil
}

func vaultTLS(config serverconfig.VaultTransit) (*tls.Config, error) {
	pem, err := os.ReadFile(filepath.Clean(config.CAFile))
	if err != nil {
		return nil, fmt.Errorf("%w: read CA of the key service: %w", ErrUnavailable, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%w: CA of the key service %s: no certificate in it", ErrUnavailable, config.CAFile)
	}
	out := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	if c := config.Auth.Certificate; c != nil {
		pair, err := tls.LoadX509KeyPair(c.KeyPair.CertFile, c.KeyPair.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("%w: load client certificate for the key service: %w", ErrUnavailable, err)
		}
		// Offered whichever authorities the server lists: those of its auth method are not among them.
		out.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return out, nil
}

// logIn gets the client a token, by whichever way is configured.
func logIn(ctx context.Context, client *api.Client, auth serverconfig.VaultAuth) error {
	var mount string
	var request map[string]any
	switch {
	case auth.JWT != nil:
		jwt, err := readCredential(auth.JWT.File)
		if err != nil {
			return err
		}
		mount, request = auth.JWT.MountPath, map[string]any{"role": auth.JWT.Role, "jwt": jwt}
	case auth.Certificate != nil:
		mount, request = auth.Certificate.MountPath, map[string]any{"name": auth.Certificate.Role}
	default:
		token, err := readCredential(auth.TokenFile)
		if err != nil {
			return err
		}
		client.SetToken(token)
		return nil
	}
	path := "auth/" + mount + "/login"
	answer, err := client.Logical().WriteWithContext(ctx, path, request)
	if err != nil {
		return loginError(path, err)
	}
	if answer == nil || answer.Auth == nil || answer.Auth.ClientToken == "" {
		return fmt.Errorf("%w: %s: no token in the answer", ErrUnavailable, path)
	}
	client.SetToken(answer.Auth.ClientToken)
	return nil
}

// loginError never quotes the server: its words may hold what the credential says about the pod.
func loginError(path string, err error) error {
	var response *api.ResponseError
	if errors.As(err, &response) {
		return fmt.Errorf("%w: %s: the server answers %d %s", ErrUnavailable, path, response.StatusCode,
			http.StatusText(response.StatusCode))
	}
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, path, err)
}

func readCredential(file string) (string, error) {
	content, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return "", fmt.Errorf("%w: read credential for the key service: %w", ErrUnavailable, err)
	}
	return strings.TrimSpace(string(content)), nil
}

// brief cuts off answers that are longer than any can be.
type brief struct{ http.RoundTripper }

func (b brief) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.RoundTripper.RoundTrip(request)
	if err == nil {
		response.Body = limited{io.LimitReader(response.Body, largestAnswer), response.Body}
	}
	return response, err
}

type limited struct {
	io.Reader
	io.Closer
}
