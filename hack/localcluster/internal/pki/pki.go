// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package pki makes the cluster's keys and certificates, and the kubeconfigs that carry them. What exists is kept.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	// The cluster lives for days; nobody should have to think about its certificates.
	lifetime = 10 * 365 * 24 * time.Hour
	// backdate allows for a clock that was set back.
	backdate   = time.Hour
	serialBits = 120
	keyMode    = 0o600
	publicMode = 0o644
)

// Authority signs certificates and keeps them in one folder as NAME.crt and NAME.key.
type Authority struct {
	dir  string
	name string
	now  func() time.Time
	cert *x509.Certificate
	key  crypto.Signer
}

// Leaf asks for a certificate.
type Leaf struct {
	// Name is the file name; CommonName and Organization are the user and the groups that Kubernetes sees.
	Name, CommonName string
	Organization     []string
	// DNS and IPs make it a server's as well.
	DNS []string
	IPs []net.IP
}

// Open returns the authority called name in dir, which it creates if there is none; now is the clock.
func Open(dir, name string, now func() time.Time) (*Authority, error) {
	a := &Authority{dir: dir, name: name, now: now}
	if err := a.load(); !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	template := a.template(pkix.Name{CommonName: name})
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	if err := a.sign(name, template); err != nil {
		return nil, err
	}
	return a, a.load()
}

// load reads the authority's own certificate and key.
func (a *Authority) load() error {
	cert, err := readPEM(a.file("crt"))
	if err != nil {
		return err
	}
	key, err := readPEM(a.file("key"))
	if err != nil {
		return err
	}
	if a.cert, err = x509.ParseCertificate(cert); err != nil {
		return fmt.Errorf("parsing the certificate of %s: %w", a.name, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("parsing the key of %s: %w", a.name, err)
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return fmt.Errorf("the key of %s cannot sign", a.name)
	}
	a.key = signer
	return nil
}

func (a *Authority) file(extension string) string { return filepath.Join(a.dir, a.name+"."+extension) }

// CertificateFile is the path of the authority's certificate.
func (a *Authority) CertificateFile() string { return a.file("crt") }

// Issue makes the leaf's files unless they exist.
func (a *Authority) Issue(leaf Leaf) error {
	if _, err := os.Stat(filepath.Join(a.dir, leaf.Name+".crt")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	template := a.template(pkix.Name{CommonName: leaf.CommonName, Organization: leaf.Organization})
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if template.DNSNames, template.IPAddresses = leaf.DNS, leaf.IPs; len(leaf.DNS)+len(leaf.IPs) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	return a.sign(leaf.Name, template)
}

func (a *Authority) template(subject pkix.Name) *x509.Certificate {
	now := a.now()
	return &x509.Certificate{Subject: subject, NotBefore: now.Add(-backdate), NotAfter: now.Add(lifetime)}
}

// sign makes a key and a certificate for it. An authority that has no key yet signs itself.
func (a *Authority) sign(name string, template *x509.Certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits)); err != nil {
		return err
	}
	parent, signer := a.cert, a.key
	if signer == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return fmt.Errorf("signing %s: %w", name, err)
	}
	if err := writeKey(filepath.Join(a.dir, name+".key"), key); err != nil {
		return err
	}
	return writePEM(filepath.Join(a.dir, name+".crt"), "CERTIFICATE", der, publicMode)
}

// KeyPair makes the key pair that signs service account tokens, as NAME.key and NAME.pub, unless it exists.
func KeyPair(dir, name string) error {
	public := filepath.Join(dir, name+".pub")
	if _, err := os.Stat(public); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := writeKey(filepath.Join(dir, name+".key"), key); err != nil {
		return err
	}
	return writePEM(public, "PUBLIC KEY", der, publicMode)
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "PRIVATE KEY", der, keyMode)
}

func writePEM(path, kind string, der []byte, mode fs.FileMode) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}

func readPEM(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM block", path)
	}
	return block.Bytes, nil
}
