// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chattenant/chattenant/gateway/egress"
)

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(tb testing.TB) *authority {
	tb.Helper()
	a := &authority{key: newKey(tb)}
	template := certificate("test authority", time.Hour)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign
	a.cert = sign(tb, template, template, a.key, a.key)
	return a
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func certificate(name string, valid time.Duration) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<60))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-2 * time.Hour),
		NotAfter:     time.Now().Add(valid),
	}
}

func sign(tb testing.TB, template, parent *x509.Certificate, of, by *ecdsa.PrivateKey) *x509.Certificate {
	tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, of.Public(), by)
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return cert
}

func (a *authority) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// issue makes a certificate. The name is its common name, and its DNS name where it is for a server.
func (a *authority) issue(tb testing.TB, name string, usage x509.ExtKeyUsage, valid time.Duration) tls.Certificate {
	tb.Helper()
	key, template := newKey(tb), certificate(name, valid)
	template.ExtKeyUsage = []x509.ExtKeyUsage{usage}
	if usage == x509.ExtKeyUsageServerAuth {
		template.DNSNames = []string{name}
	}
	leaf := sign(tb, template, a.cert, key, a.key)
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) server(tb testing.TB, host string) tls.Certificate {
	tb.Helper()
	return a.issue(tb, host, x509.ExtKeyUsageServerAuth, time.Hour)
}

func (a *authority) client(tb testing.TB, name string) tls.Certificate {
	tb.Helper()
	return a.issue(tb, name, x509.ExtKeyUsageClientAuth, time.Hour)
}

// credentialFiles writes what the gateway is given: its certificate, and the roots of its clients.
func credentialFiles(tb testing.TB, dir string, own tls.Certificate, roots *authority) egress.CredentialFiles {
	tb.Helper()
	files := egress.CredentialFiles{
		CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key"),
		CAFile: filepath.Join(dir, "ca.crt"),
	}
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		tb.Fatal(err)
	}
	writePEM(tb, files.KeyFile, "PRIVATE KEY", key)
	writePEM(tb, files.CertFile, "CERTIFICATE", own.Certificate[0])
	writePEM(tb, files.CAFile, "CERTIFICATE", roots.cert.Raw)
	return files
}

func writePEM(tb testing.TB, file, kind string, der []byte) {
	tb.Helper()
	content := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(file, content, 0o600); err != nil {
		tb.Fatal(err)
	}
}
