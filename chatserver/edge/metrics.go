// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics count what the edge sees. No label carries an address, an id or anything a person said.
type Metrics struct {
	requests *prometheus.CounterVec
	limited  *prometheus.CounterVec
	sockets  *prometheus.GaugeVec
	closed   *prometheus.CounterVec
	streams  *prometheus.GaugeVec
	// streamsClosed counts like closed.
	streamsClosed *prometheus.CounterVec
	connections   prometheus.Gauge
	refused       prometheus.Counter
	faults        prometheus.Counter
}

// NewMetrics registers the edge's metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	f := promauto.With(r)
	return &Metrics{
		requests: f.NewCounterVec(prometheus.CounterOpts{
			Name: "chattenant_http_requests_total", Help: "HTTP requests, by route and status.",
		}, []string{"route", "status"}),
		limited: f.NewCounterVec(prometheus.CounterOpts{
			Name: "chattenant_rate_limited_total", Help: "Requests, sign-ins and messages over a limit, by limit.",
		}, []string{"limit"}),
		sockets: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "chattenant_sockets", Help: "Open WebSockets that said hello, by kind of participant.",
		}, []string{"kind"}),
		closed: f.NewCounterVec(prometheus.CounterOpts{
			Name: "chattenant_sockets_closed_total", Help: "WebSockets the server closed, by reason.",
		}, []string{"reason"}),
		streams: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "chattenant_streams", Help: "Open event streams, by kind of participant.",
		}, []string{"kind"}),
		streamsClosed: f.NewCounterVec(prometheus.CounterOpts{
			Name: "chattenant_streams_closed_total", Help: "Event streams the server closed, by reason.",
		}, []string{"reason"}),
		connections: f.NewGauge(prometheus.GaugeOpts{
			Name: "chattenant_connections", Help: "Open connections on the public listener.",
		}),
		refused: f.NewCounter(prometheus.CounterOpts{
			Name: "chattenant_connections_refused_total", Help: "Connections closed because there were too many.",
		}),
		faults: f.NewCounter(prometheus.CounterOpts{
			Name: "chattenant_connection_faults_total", Help: "Connections that failed before a request: PROXY header, TLS.",
		}),
	}
}

// count counts the requests of a route.
func (s *Server) count(route string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(recorder, r)
		s.metrics.requests.WithLabelValues(route, strconv.Itoa(recorder.status)).Inc()
	})
}

// statusRecorder remembers the status of a response.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Hijack implements http.Hijacker, for WebSockets.
func (r *statusRecorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	r.status = http.StatusSwitchingProtocols
	conn, rw, err := http.NewResponseController(r.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("take over connection: %w", err)
	}
	return conn, rw, nil
}
