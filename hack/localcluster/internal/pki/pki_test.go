// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func authority(t *testing.T) *Authority {
	t.Helper()
	a, err := Open(t.TempDir(), "ca", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func certificate(t *testing.T, dir, name string) *x509.Certificate {
	t.Helper()
	der, err := readPEM(filepath.Join(dir, name+".crt"))
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestAnIssuedCertificateIsTheUsersAndVerifies(t *testing.T) {
	a := authority(t)
	err := a.Issue(Leaf{
		Name: "kubelet", CommonName: "system:node:eu-1", Organization: []string{"system:nodes"}, DNS: []string{"eu-1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	cert := certificate(t, a.dir, "kubelet")
	if cert.Subject.CommonName != "system:node:eu-1" || cert.Subject.Organization[0] != "system:nodes" {
		t.Errorf("subject is %s", cert.Subject)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	options := x509.VerifyOptions{Roots: roots, DNSName: "eu-1", KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if _, err := cert.Verify(options); err != nil {
		t.Error(err)
	}
}

func TestAUsersCertificateIsNoServers(t *testing.T) {
	a := authority(t)
	if err := a.Issue(Leaf{Name: "admin", CommonName: "admin"}); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	options := x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if _, err := certificate(t, a.dir, "admin").Verify(options); err == nil {
		t.Error("a user's certificate passes for a server's")
	}
}

func TestWhatExistsIsKept(t *testing.T) {
	a := authority(t)
	if err := a.Issue(Leaf{Name: "admin", CommonName: "admin"}); err != nil {
		t.Fatal(err)
	}
	if err := KeyPair(a.dir, "tokens"); err != nil {
		t.Fatal(err)
	}
	before := contents(t, a.dir)
	again, err := Open(a.dir, "ca", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Issue(Leaf{Name: "admin", CommonName: "somebody else"}); err != nil {
		t.Fatal(err)
	}
	if err := KeyPair(a.dir, "tokens"); err != nil {
		t.Fatal(err)
	}
	for path, content := range contents(t, a.dir) {
		if before[path] != content {
			t.Errorf("%s was replaced", path)
		}
	}
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(paths) != 6 {
		t.Fatalf("files are %v, %v", paths, err)
	}
	all := map[string]string{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[path] = string(content)
	}
	return all
}

func TestAKubeconfigIsReadAsItWasWritten(t *testing.T) {
	a := authority(t)
	if err := a.Issue(Leaf{Name: "admin", CommonName: "admin"}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(a.dir, "admin.kubeconfig")
	if err := a.WriteKubeconfig(path, "admin", "https://127.0.0.1:6443"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the key: %v, %v", info.Mode(), err)
	}
	got, err := ReadKubeconfig(path)
	if err != nil || got.Server != "https://127.0.0.1:6443" {
		t.Fatalf("server is %q, %v", got.Server, err)
	}
	if _, err := tls.X509KeyPair(got.Certificate, got.Key); err != nil {
		t.Errorf("certificate and key: %v", err)
	}
}

func TestAServerIsCertifiedForWhateverNameIsAskedFor(t *testing.T) {
	a := authority(t)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", a.ServerConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			// Reading makes the handshake.
			go func() { _, _ = connection.Read(make([]byte, 1)); _ = connection.Close() }()
		}
	}()
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	for _, name := range []string{"crm.example", "anything.example", "127.0.0.1"} {
		config := &tls.Config{RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS12}
		dialer := tls.Dialer{Config: config, NetDialer: &net.Dialer{Timeout: 30 * time.Second}}
		connection, err := dialer.DialContext(t.Context(), "tcp", listener.Addr().String())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_ = connection.Close()
	}
}
