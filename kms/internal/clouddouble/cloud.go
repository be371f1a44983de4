// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package clouddouble stands in for the clouds in tests: a server on loopback that answers for every host of theirs, as
// their key and token services are documented to on the wire, and checks what they would check.
package clouddouble

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/kms/apiv1/kmspb"
	"google.golang.org/grpc"

	"github.com/chattenant/chattenant/api/kmshelper"
	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
	"github.com/chattenant/chattenant/kms/internal/network"
)

// What the double knows.
const (
	Region   = "eu-central-1"
	Role     = "arn:aws:iam::111122223333:role/chat-acme"
	Audience = "//iam.googleapis.com/projects/42/locations/global/workloadIdentityPools/cluster/providers/issuer"
	Account  = "chat-acme@project.iam.gserviceaccount.com"
	// AWSKey and GoogleKey are the keys there are.
	AWSKey    = "aws-kms://arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	GoogleKey = "gcp-kms://projects/project/locations/europe-west3/keyRings/ring/cryptoKeys/acme"
)

// Cloud is the double. Its fields may be changed between calls.
type Cloud struct {
	// Token is the pod's token that is taken, in TokenFile.
	Token, TokenFile string
	// Fault makes the key services refuse everything with this code: a name of AWS's, or of gRPC's.
	Fault string
	// TokenFault makes the token services refuse with this HTTP status.
	TokenFault int
	// Forgetful makes the key services ignore associated data.
	Forgetful bool
	// Silent makes the key services not answer.
	Silent bool

	Address string
	Root    []byte
	ca      *certtest.CA
	google  *grpc.Server
	secret  [32]byte

	mu      sync.Mutex
	session session
	// asked are the hosts that were asked, in turn.
	asked []string
	// bearer is Google's token that is taken for keys, federated the one that is taken for another account's.
	bearer, federated string
	stopped           chan struct{}
}

// Hosts that the double answers for.
var hosts = []string{
	"kms." + Region + ".amazonaws.com", "sts." + Region + ".amazonaws.com",
	kmshelper.GoogleKMS, kmshelper.GoogleTokens, kmshelper.GoogleCredentials,
}

// New starts a double that ends with the test.
func New(tb testing.TB) *Cloud {
	tb.Helper()
	dir := tb.TempDir()
	c := &Cloud{
		Token: "header." + rand.Text() + ".signature", TokenFile: filepath.Join(dir, "token"), ca: certtest.NewCA(tb),
		stopped: make(chan struct{}),
	}
	_, _ = rand.Read(c.secret[:])
	if err := os.WriteFile(c.TokenFile, []byte(c.Token+"\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	file := c.ca.WriteCert(tb, filepath.Join(dir, "ca.crt"))
	content, err := os.ReadFile(file) //nolint:gosec // Just written.
	if err != nil {
		tb.Fatal(err)
	}
	block, _ := pem.Decode(content)
	c.Root = block.Bytes
	c.google = grpc.NewServer()
	kmspb.RegisterKeyManagementServiceServer(c.google, googleKeys{c: c})
	c.listen(tb, dir)
	return c
}

func (c *Cloud) listen(tb testing.TB, dir string) {
	tb.Helper()
	pair := c.ca.Write(tb, filepath.Join(dir, "server"), certtest.Leaf{CommonName: "cloud", Hosts: hosts})
	certificate, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
	if err != nil {
		tb.Fatal(err)
	}
	server := httptest.NewUnstartedServer(c)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	c.Address = server.Listener.Addr().String()
	tb.Cleanup(func() { close(c.stopped); server.Close() })
}

// Way leads to the double instead of to the clouds.
func (c *Cloud) Way() network.Way {
	return network.Way{Roots: c.ca.Pool(), Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, c.Address)
	}}
}

// Identity is the one by which the double knows the tenant at the cloud of a key.
func (c *Cloud) Identity(uri string) kmshelper.Identity {
	if strings.HasPrefix(uri, "aws-") {
		return kmshelper.Identity{TokenFile: c.TokenFile, RoleARN: Role}
	}
	return kmshelper.Identity{TokenFile: c.TokenFile, Audience: Audience}
}

// Asked are the hosts that were asked, in turn.
func (c *Cloud) Asked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.asked)
}

// ServeHTTP answers for every host.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host := strings.TrimSuffix(r.Host, ":443")
	c.mu.Lock()
	c.asked = append(c.asked, host)
	c.mu.Unlock()
	tokens := strings.HasPrefix(host, "sts.") || strings.HasPrefix(host, "iamcredentials.")
	switch {
	case tokens && c.TokenFault != 0:
		// As a server that quotes what it was sent.
		body, _ := io.ReadAll(r.Body)
		http.Error(w, string(body), c.TokenFault)
	case !tokens && c.Silent:
		select {
		case <-r.Context().Done():
		case <-c.stopped:
		}
	case host == kmshelper.GoogleKMS:
		c.google.ServeHTTP(w, r)
	case host == kmshelper.GoogleTokens:
		c.exchange(w, r)
	case host == kmshelper.GoogleCredentials:
		c.impersonate(w, r)
	case strings.HasPrefix(host, "sts."):
		c.assume(w, r)
	default:
		c.awsKMS(w, r)
	}
}
