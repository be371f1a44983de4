// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package routes

import (
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	"k8s.io/client-go/rest"
)

// unreachableInterval spaces the log lines while the API server is away.
const unreachableInterval = 30 * time.Second

// reportingTransport says when the API server cannot be reached: informers retry a refused connection in silence.
type reportingTransport struct {
	next     http.RoundTripper
	log      logr.Logger
	logError rate.Sometimes
}

// report wraps the transport of config.
func report(config *rest.Config, log logr.Logger) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &reportingTransport{next: next, log: log, logError: rate.Sometimes{Interval: unreachableInterval}}
	})
}

// RoundTrip implements http.RoundTripper.
func (t *reportingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(request)
	if err != nil && request.Context().Err() == nil {
		t.logError.Do(func() { t.log.Error(err, "cannot reach the API server: routes stay as they are") })
	}
	return response, err
}
