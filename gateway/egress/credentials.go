// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/chattenant/chattenant/api/naming"
)

// CredentialFiles are PEM files that somebody else renews.
type CredentialFiles struct {
	// CertFile and KeyFile prove the gateway.
	CertFile, KeyFile string
	// CAFile holds the only roots that may have signed a client's certificate.
	CAFile string
}

// Credentials is what the files held when they last fitted together.
type Credentials struct {
	files   CredentialFiles
	current atomic.Pointer[tls.Config]
	sum     []byte
}

// NewCredentials reads the files.
func NewCredentials(files CredentialFiles) (*Credentials, error) {
	c := &Credentials{files: files}
	_, err := c.reload()
	return c, err
}

// TLS is the configuration of a connection that comes now.
func (c *Credentials) TLS() *tls.Config { return c.current.Load() }

// reload reads the files again. With an error everything stays as it was.
func (c *Credentials) reload() (changed bool, err error) {
	cert, certErr := os.ReadFile(filepath.Clean(c.files.CertFile))
	key, keyErr := os.ReadFile(filepath.Clean(c.files.KeyFile))
	roots, rootsErr := os.ReadFile(filepath.Clean(c.files.CAFile))
	if err := errors.Join(certErr, keyErr, rootsErr); err != nil {
		return false, fmt.Errorf("read credentials: %w", err)
	}
	sum := fingerprint(cert, key, roots)
	if bytes.Equal(sum, c.sum) {
		return false, nil
	}
	config, err := newTLSConfig(cert, key, roots)
	if err != nil {
		return false, err
	}
	c.current.Store(config)
	c.sum = sum
	return true, nil
}

func fingerprint(parts ...[]byte) []byte {
	var sums []byte
	for _, part := range parts {
		sum := sha256.Sum256(part)
		sums = append(sums, sum[:]...)
	}
	return sums
}

func newTLSConfig(cert, key, roots []byte) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("load certificate: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(roots) {
		return nil, errors.New("load client roots: no certificate found")
	}
	return &tls.Config{
		MinVersion:       tls.VersionTLS13,
		Certificates:     []tls.Certificate{pair},
		ClientCAs:        pool,
		ClientAuth:       tls.RequireAndVerifyClientCert,
		VerifyConnection: onlyChatServer,
		NextProtos:       []string{"http/1.1"},
		// A resumed session would be judged by the roots of its first handshake.
		SessionTicketsDisabled: true,
	}, nil
}

// onlyChatServer refuses what else the tenant's authority has signed.
func onlyChatServer(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("no client certificate")
	}
	if name := state.PeerCertificates[0].Subject.CommonName; name != naming.EgressClientName {
		return fmt.Errorf("client certificate is of %q, want %q", name, naming.EgressClientName)
	}
	return nil
}
