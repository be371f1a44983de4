// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package pki issues the short-lived certificates of a measurement.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/chattenant/chattenant/api/serverconfig"
)

const lifetime = 24 * time.Hour

// Authority signs certificates.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	now  time.Time
}

// NewAuthority makes an authority whose certificates hold from now for a day.
func NewAuthority(now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	a := &Authority{key: key, now: now}
	template, err := a.template("benchmark")
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	a.cert = template
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign authority: %w", err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("parse authority: %w", err)
	}
	return a, nil
}

// WriteCert writes the authority's own certificate.
func (a *Authority) WriteCert(file string) error { return write(file, "CERTIFICATE", a.cert.Raw) }

// Issue writes a certificate and its key as tls.crt and tls.key into dir, which is made.
func (a *Authority) Issue(dir, commonName string, hosts ...string) (serverconfig.KeyPair, error) {
	pair := serverconfig.KeyPair{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return pair, fmt.Errorf("make folder: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair, fmt.Errorf("make key: %w", err)
	}
	template, err := a.template(commonName)
	if err != nil {
		return pair, err
	}
	template.KeyUsage, template.DNSNames = x509.KeyUsageDigitalSignature, hosts
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return pair, fmt.Errorf("sign certificate: %w", err)
	}
	if err := write(pair.CertFile, "CERTIFICATE", der); err != nil {
		return pair, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return pair, fmt.Errorf("encode key: %w", err)
	}
	return pair, write(pair.KeyFile, "PRIVATE KEY", private)
}

func (a *Authority) template(commonName string) (*x509.Certificate, error) {
	const bits = 120
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), bits))
	if err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: commonName},
		NotBefore: a.now.Add(-time.Hour), NotAfter: a.now.Add(lifetime),
	}, nil
}

func write(file, kind string, der []byte) error {
	data := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return fmt.Errorf("write certificate: %w", err)
	}
	return nil
}
