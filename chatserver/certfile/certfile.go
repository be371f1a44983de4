// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package certfile serves a certificate from files that someone else renews. Kubernetes replaces mounted Secrets by
// swapping a symbolic link, so the files are read by name again and again and compared by content.
package certfile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/api/serverconfig"
)

// PollInterval is how long a renewed certificate may go unnoticed. Certificates are renewed weeks before they expire.
const PollInterval = 10 * time.Second

// Reloader hands out the newest certificate of a pair of files.
type Reloader struct {
	files   serverconfig.KeyPair
	clock   clock.WithTicker
	log     *slog.Logger
	current atomic.Pointer[tls.Certificate]
	sum     []byte
}

// NewReloader reads the pair once. Run keeps it fresh.
func NewReloader(files serverconfig.KeyPair, clock clock.WithTicker, log *slog.Logger) (*Reloader, error) {
	r := &Reloader{files: files, clock: clock, log: log}
	if _, err := r.reload(); err != nil {
		return nil, err
	}
	return r, nil
}

// GetCertificate is for tls.Config. It never fails.
func (r *Reloader) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return r.current.Load(), nil
}

// NotAfter is when the current certificate expires.
func (r *Reloader) NotAfter() time.Time { return r.current.Load().Leaf.NotAfter }

// Run looks for a new certificate every interval until ctx ends. A pair that does not fit together, as between the
// writing of two files, leaves the old one in service.
func (r *Reloader) Run(ctx context.Context, interval time.Duration) {
	ticker := r.clock.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
		}
		changed, err := r.reload()
		switch {
		case err != nil:
			r.log.Error("Cannot reload the certificate, keeping the old one", "err", err)
		case changed:
			r.log.Info("Reloaded the certificate", "notAfter", r.NotAfter())
		}
	}
}

func (r *Reloader) reload() (changed bool, err error) {
	sum, err := Fingerprint(r.files.CertFile, r.files.KeyFile)
	if err != nil || bytes.Equal(sum, r.sum) {
		return false, err
	}
	pair, err := tls.LoadX509KeyPair(r.files.CertFile, r.files.KeyFile)
	if err != nil {
		return false, fmt.Errorf("load certificate: %w", err)
	}
	r.current.Store(&pair)
	r.sum = sum
	return true, nil
}

// Fingerprint changes when the content of any of the files does.
func Fingerprint(files ...string) ([]byte, error) {
	hash := sha256.New()
	for _, file := range files {
		content, err := os.ReadFile(filepath.Clean(file))
		if err != nil {
			return nil, fmt.Errorf("read certificate file: %w", err)
		}
		sum := sha256.Sum256(content)
		hash.Write(sum[:])
	}
	return hash.Sum(nil), nil
}
