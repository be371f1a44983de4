// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package trust serves what the operator says about this tenant: who gets its data, where it is and how that is known.
// It adds nothing of its own, so that nobody who only holds a chat server can say otherwise for long.
package trust

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/api/trust"
)

// PollInterval is how long a new document may go unnoticed once it is in the pod. A mounted file is replaced by
// swapping a symbolic link, so it is read by name again and again and compared by content.
const PollInterval = 10 * time.Second

// maxDocument bounds what is read, in bytes: a ConfigMap holds no more.
const maxDocument = 1 << 20

// Publisher serves the newest document of a file.
type Publisher struct {
	file    string
	origin  string
	clock   clock.WithTicker
	log     *slog.Logger
	current atomic.Pointer[edition]
	source  []byte
}

// edition is one document, ready to be sent.
type edition struct{ document, feed resource }

// NewPublisher makes a publisher of the tenant at https://host. Until Run has found a document there is none.
func NewPublisher(file, host string, clock clock.WithTicker, log *slog.Logger) *Publisher {
	return &Publisher{file: file, origin: "https://" + host, clock: clock, log: log}
}

// Run looks for a new document at once and then every interval until ctx ends. What cannot be read, or is no document,
// leaves the old one published.
func (p *Publisher) Run(ctx context.Context, interval time.Duration) {
	ticker := p.clock.NewTicker(interval)
	defer ticker.Stop()
	for {
		if err := p.reload(); err != nil {
			p.log.Error("Cannot read the trust document", "err", err, "published", p.current.Load() != nil)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
		}
	}
}

func (p *Publisher) reload() error {
	data, err := read(p.file)
	if err != nil || p.source != nil && bytes.Equal(data, p.source) {
		return err
	}
	document, err := trust.Parse(data)
	if err != nil {
		return err
	}
	feed, err := atom(document, p.origin)
	if err != nil {
		return err
	}
	p.current.Store(&edition{
		document: newResource("application/json", data), feed: newResource("application/atom+xml; charset=utf-8", feed),
	})
	p.source = data
	p.log.Info("Published the trust document")
	return nil
}

func read(file string) ([]byte, error) {
	info, err := os.Stat(filepath.Clean(file))
	if err != nil {
		return nil, fmt.Errorf("find trust document: %w", err)
	}
	if info.Size() > maxDocument {
		return nil, fmt.Errorf("the trust document has %d bytes, more than %d", info.Size(), maxDocument)
	}
	data, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return nil, fmt.Errorf("read trust document: %w", err)
	}
	return data, nil
}

// Paths at which the document, its schema and the feed of its changes are served.
const (
	DocumentPath = "/trust.json"
	SchemaPath   = "/trust.schema.json"
	FeedPath     = "/trust.atom"
)

var schema = newResource("application/schema+json", trust.Schema)

// ServeHTTP answers the three paths.
func (p *Publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == SchemaPath {
		schema.serve(w, r)
		return
	}
	e := p.current.Load()
	switch {
	case e == nil:
		w.Header().Set("Retry-After", fmt.Sprint(int(PollInterval/time.Second)))
		http.Error(w, "The trust document is not here yet. Try again in a moment.", http.StatusServiceUnavailable)
	case r.URL.Path == DocumentPath:
		e.document.serve(w, r)
	case r.URL.Path == FeedPath:
		e.feed.serve(w, r)
	default:
		http.NotFound(w, r)
	}
}
