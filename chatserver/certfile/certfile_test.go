// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package certfile_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/certfile"
	"github.com/chattenant/chattenant/chatserver/certfile/certtest"
)

// mount lays the files out as the kubelet does: names are links into ..data, which is swapped as a whole.
func mount(t *testing.T, dir string, ca *certtest.CA, name string) serverconfig.KeyPair {
	t.Helper()
	ca.Write(t, filepath.Join(dir, name), certtest.Leaf{CommonName: name})
	link := filepath.Join(dir, "..data_tmp")
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link, filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	return serverconfig.KeyPair{
		CertFile: filepath.Join(dir, "..data", "tls.crt"), KeyFile: filepath.Join(dir, "..data", "tls.key"),
	}
}

func commonName(t *testing.T, r *certfile.Reloader) string {
	t.Helper()
	cert, err := r.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return cert.Leaf.Subject.CommonName
}

func TestARenewedCertificateIsServedAndABrokenOneIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, ca := t.TempDir(), certtest.NewCA(t)
		files := mount(t, dir, ca, "first")
		r, err := certfile.NewReloader(files, clock.RealClock{}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		go r.Run(t.Context(), certfile.PollInterval)
		if got := commonName(t, r); got != "first" {
			t.Fatalf("serves %q", got)
		}
		mount(t, dir, ca, "second")
		time.Sleep(time.Minute)
		if got := commonName(t, r); got != "second" {
			t.Errorf("serves %q after the swap", got)
		}
		if err := os.WriteFile(files.KeyFile, []byte("half written"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := commonName(t, r); got != "second" {
			t.Errorf("serves %q with a broken key file", got)
		}
		mount(t, dir, ca, "third")
		time.Sleep(time.Minute)
		if got := commonName(t, r); got != "third" {
			t.Errorf("serves %q after the repair", got)
		}
	})
}

func TestAMissingPairIsAnErrorAtStart(t *testing.T) {
	files := serverconfig.KeyPair{CertFile: filepath.Join(t.TempDir(), "tls.crt"), KeyFile: "none"}
	if _, err := certfile.NewReloader(files, clock.RealClock{}, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("NewReloader succeeded")
	}
}
