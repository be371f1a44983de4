// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package vaultserver

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openbao/openbao/api/v2"
)

// Stop ends the process, Start begins another with what it stored.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	if s.process == nil {
		return
	}
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		tb.Error(err)
	}
	if err := s.process.Wait(); err != nil {
		tb.Errorf("Vault ended with %v", err)
	}
	s.process = nil
}

// Start starts the server after Stop, and unseals it.
func (s *Server) Start(tb testing.TB) {
	tb.Helper()
	s.run(tb)
	s.SetSealed(tb, false)
}

// run starts the process and returns once it listens.
func (s *Server) run(tb testing.TB) {
	tb.Helper()
	// Not the test's context: what the server is told at the end of a test, its clean-up tells it.
	process := exec.Command(s.options.Program, //nolint:noctx // See above.
		"-data="+s.data, "-address="+s.Address, "-certificate="+s.pair.CertFile, "-key="+s.pair.KeyFile)
	process.Stderr = os.Stderr
	out, err := process.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := s.options.Start(process); err != nil {
		tb.Fatalf("start Vault: %v", err)
	}
	s.process = process
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		tb.Fatalf("Vault does not start: %v", err)
	}
	s.Address = strings.TrimSpace(line)
}

func (s *Server) connect(tb testing.TB) {
	tb.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck // The standard library's own.
	transport.Proxy, transport.TLSClientConfig.RootCAs = nil, s.options.CA.Pool()
	if s.options.Dial != nil {
		transport.DialContext = s.options.Dial
		// The address is the place's own; what it is called there is in the certificate.
		transport.TLSClientConfig.ServerName = s.options.Hosts[0]
	}
	tb.Cleanup(transport.CloseIdleConnections)
	var err error
	s.Root, err = api.NewClient(&api.Config{
		Address: "https://" + s.Address, DisableEnvironment: true, Timeout: time.Minute,
		HttpClient: &http.Client{Transport: transport},
	})
	if err != nil {
		tb.Fatal(err)
	}
}
