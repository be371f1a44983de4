// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package kubeapi is the little of a Kubernetes client that this program needs. client-go would take longer to compile
// than everything else here together.
package kubeapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/chattenant/chattenant/hack/localcluster/internal/pki"
)

// requestTimeout bounds every request but a watch.
const requestTimeout = 10 * time.Second

// Client talks to one API server under one identity.
type Client struct {
	server string
	http   *http.Client
}

// StatusError is an answer other than success.
type StatusError struct {
	// Code is the HTTP status.
	Code int
	// Message is the API server's explanation.
	Message string
}

func (e *StatusError) Error() string { return fmt.Sprintf("%d: %s", e.Code, e.Message) }

// IsNotFound says whether the API server answered that there is no such object.
func IsNotFound(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Code == http.StatusNotFound
}

// New connects with the identity of a kubeconfig that this program wrote.
func New(kubeconfig string) (*Client, error) {
	credentials, err := pki.ReadKubeconfig(kubeconfig)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(credentials.Certificate, credentials.Key)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate of %s: %w", kubeconfig, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(credentials.CA) {
		return nil, fmt.Errorf("%s holds no certificate authority", kubeconfig)
	}
	transport := &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS13, RootCAs: roots, Certificates: []tls.Certificate{pair},
		},
	}
	return NewPlain(credentials.Server, &http.Client{Transport: transport}), nil
}

// NewPlain connects to the server at a URL by a client that knows how to.
func NewPlain(server string, client *http.Client) *Client {
	return &Client{server: server, http: client}
}

// Get reads the object at path into out, which may be nil.
func (c *Client) Get(ctx context.Context, path string, out any) error {
	return c.do(ctx, http.MethodGet, path, nil, out)
}

// Create creates body in the collection at path.
func (c *Client) Create(ctx context.Context, path string, body any) error {
	return c.do(ctx, http.MethodPost, path, body, nil)
}

// Delete deletes the object at path. That it is gone already is no error.
func (c *Client) Delete(ctx context.Context, path string) error {
	if err := c.do(ctx, http.MethodDelete, path, nil, nil); !IsNotFound(err) {
		return err
	}
	return nil
}

func (c *Client) do(ctx context.Context, method, path string, body, out any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	answer, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(answer.Body).Decode(out); err != nil {
		return fmt.Errorf("reading the answer to %s: %w", path, err)
	}
	return nil
}

// Watch calls changed once for every event at path, which carries the query of a watch, until the server ends it.
func (c *Client) Watch(ctx context.Context, path string, changed func()) error {
	answer, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	events := json.NewDecoder(answer.Body)
	for {
		var event json.RawMessage
		if err := events.Decode(&event); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("watching %s: %w", path, err)
		}
		changed()
	}
}

func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, c.server+path, bytes.NewReader(encoded))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		return nil, statusError(answer)
	}
	return answer, nil
}

// statusError reads the API server's explanation of a failure.
func statusError(answer *http.Response) error {
	defer func() { _ = answer.Body.Close() }()
	var status struct{ Message string }
	if err := json.NewDecoder(answer.Body).Decode(&status); err != nil {
		status.Message = http.StatusText(answer.StatusCode)
	}
	return &StatusError{Code: answer.StatusCode, Message: status.Message}
}
