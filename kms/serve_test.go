// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chattenant/chattenant/api/kmshelper"
	"github.com/chattenant/chattenant/kms/internal/clouddouble"
	"github.com/chattenant/chattenant/kms/internal/failure"
	"github.com/chattenant/chattenant/kms/internal/network"
)

const (
	// patience leaves room for the SDKs' own retries, on a machine with much else to do.
	patience = 30 * time.Second
	// brief is for questions that are asked until the time is over.
	brief = 5 * time.Second
)

const keyset = "a keyset that nobody may read"

// both runs a test with the SDK of each cloud against the double.
func both(t *testing.T, test func(t *testing.T, cloud *clouddouble.Cloud, uri string)) {
	t.Helper()
	for name, uri := range map[string]string{"AWS": clouddouble.AWSKey, "Google": clouddouble.GoogleKey} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, clouddouble.New(t), uri)
		})
	}
}

func request(
	cloud *clouddouble.Cloud, uri string, operation kmshelper.Operation, data, place string,
) kmshelper.Request {
	return kmshelper.Request{
		Operation: operation, URI: uri, Identity: cloud.Identity(uri), Data: []byte(data), AssociatedData: []byte(place),
	}
}

func ask(t *testing.T, way network.Way, request kmshelper.Request) (string, error) {
	t.Helper()
	return askFor(t, patience, way, request)
}

func askFor(t *testing.T, limit time.Duration, way network.Way, request kmshelper.Request) (string, error) {
	t.Helper()
	in, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var out bytes.Buffer
	if err := serve(ctx, bytes.NewReader(in), &out, way); err != nil {
		return "", err
	}
	var answer kmshelper.Answer
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	return string(answer.Data), nil
}

func wrap(t *testing.T, cloud *clouddouble.Cloud, uri string) string {
	t.Helper()
	wrapped, err := ask(t, cloud.Way(), request(cloud, uri, kmshelper.Encrypt, keyset, "place"))
	if err != nil {
		t.Fatal(err)
	}
	return wrapped
}

// expect finds an error of a kind with a text in it, which holds neither the keyset nor the pod's token.
func expect(t *testing.T, cloud *clouddouble.Cloud, err error, status int, text string) {
	t.Helper()
	var f *failure.Error
	if !errors.As(err, &f) || f.Status != status || !strings.Contains(f.Error(), text) {
		t.Errorf("got %v, want status %d with %q", err, status, text)
		return
	}
	for _, secret := range []string{keyset, base64.StdEncoding.EncodeToString([]byte(keyset)), cloud.Token} {
		if strings.Contains(f.Error(), secret) {
			t.Errorf("%q quotes a secret", f)
		}
	}
}

func TestWhatAKeyWrappedOpensOnlyInItsPlace(t *testing.T) {
	both(t, func(t *testing.T, cloud *clouddouble.Cloud, uri string) {
		wrapped := wrap(t, cloud, uri)
		if strings.Contains(wrapped, keyset) {
			t.Fatal("nothing was encrypted")
		}
		out, err := ask(t, cloud.Way(), request(cloud, uri, kmshelper.Decrypt, wrapped, "place"))
		if err != nil || out != keyset {
			t.Errorf("in its place: %q, %v", out, err)
		}
		for name, in := range map[string]kmshelper.Request{
			"another place": request(cloud, uri, kmshelper.Decrypt, wrapped, "elsewhere"),
			"no place":      request(cloud, uri, kmshelper.Decrypt, wrapped, ""),
			"changed":       request(cloud, uri, kmshelper.Decrypt, wrapped[:len(wrapped)-1], "place"),
		} {
			_, err := ask(t, cloud.Way(), in)
			t.Log(name, err)
			expect(t, cloud, err, kmshelper.ExitRefused, "does not open this")
		}
	})
}

func TestOnlyTheHostsOfTheKeyAreAsked(t *testing.T) {
	both(t, func(t *testing.T, cloud *clouddouble.Cloud, uri string) {
		wrap(t, cloud, uri)
		key, err := kmshelper.ParseKey(uri)
		if err != nil {
			t.Fatal(err)
		}
		if len(cloud.Asked()) == 0 {
			t.Fatal("nobody was asked")
		}
		for _, host := range cloud.Asked() {
			if !slices.Contains(key.Hosts(), host) {
				t.Errorf("asked %s", host)
			}
		}
		_, err = cloud.Way().To(key.Hosts()).Dial(t.Context(), "tcp", "metadata.google.internal:443")
		if !errors.Is(err, failure.ErrForeign) {
			t.Errorf("another host: %v", err)
		}
		if _, err := cloud.Way().To(key.Hosts()).Dial(t.Context(), "tcp", key.Hosts()[0]+":80"); err == nil {
			t.Error("another port can be reached")
		}
	})
}

func TestAServiceAccountOfGooglesCanBeActedAs(t *testing.T) {
	cloud := clouddouble.New(t)
	in := request(cloud, clouddouble.GoogleKey, kmshelper.Encrypt, keyset, "place")
	in.Identity.ServiceAccount = clouddouble.Account
	if _, err := ask(t, cloud.Way(), in); err != nil {
		t.Error(err)
	}
	if !slices.Contains(cloud.Asked(), kmshelper.GoogleCredentials) {
		t.Errorf("asked only %v", cloud.Asked())
	}
	in.Identity.ServiceAccount = "other@project.iam.gserviceaccount.com"
	_, err := ask(t, cloud.Way(), in)
	expect(t, cloud, err, kmshelper.ExitFailed, "iamcredentials.googleapis.com answers 403")
}

func TestEachRefusalOfAKeyServiceSaysWhatItIs(t *testing.T) {
	type refusal struct {
		status int
		text   string
	}
	for uri, faults := range map[string]map[string]refusal{
		clouddouble.AWSKey: {
			"AccessDeniedException":    {kmshelper.ExitFailed, "must allow kms:Encrypt and kms:Decrypt"},
			"DisabledException":        {kmshelper.ExitFailed, "enable the key"},
			"KMSInvalidStateException": {kmshelper.ExitFailed, "cancel the deletion"},
			"NotFoundException":        {kmshelper.ExitUnusable, "correct the URI"},
			"InvalidKeyUsageException": {kmshelper.ExitUnusable, "must be symmetric"},
			"ValidationException":      {kmshelper.ExitUnusable, "correct the URI"},
			"ThrottlingException":      {kmshelper.ExitFailed, "ThrottlingException"},
			"Evil\nException":          {kmshelper.ExitFailed, "an unknown error"},
		},
		clouddouble.GoogleKey: {
			"PERMISSION_DENIED":   {kmshelper.ExitFailed, "cryptoKeyEncrypterDecrypter"},
			"FAILED_PRECONDITION": {kmshelper.ExitFailed, "enable the key's version"},
			"RESOURCE_EXHAUSTED":  {kmshelper.ExitFailed, "quota"},
			"NOT_FOUND":           {kmshelper.ExitUnusable, "correct the URI"},
			"INTERNAL":            {kmshelper.ExitFailed, "Internal"},
			"UNAVAILABLE":         {kmshelper.ExitFailed, "cannot be used now"},
		},
	} {
		for fault, want := range faults {
			t.Run(fault, func(t *testing.T) {
				t.Parallel()
				cloud := clouddouble.New(t)
				wrapped := wrap(t, cloud, uri)
				cloud.Fault = fault
				limit := patience
				if fault == "UNAVAILABLE" { // Google's SDK asks again and again.
					limit = brief
				}
				for operation, data := range map[kmshelper.Operation]string{
					kmshelper.Encrypt: keyset, kmshelper.Decrypt: wrapped,
				} {
					_, err := askFor(t, limit, cloud.Way(), request(cloud, uri, operation, data, "place"))
					expect(t, cloud, err, want.status, want.text)
				}
			})
		}
	}
}

func TestAKeyThatIsNotThereIsUnusable(t *testing.T) {
	both(t, func(t *testing.T, cloud *clouddouble.Cloud, uri string) {
		in := request(cloud, uri, kmshelper.Encrypt, keyset, "place")
		in.URI = uri + "0"
		_, err := ask(t, cloud.Way(), in)
		expect(t, cloud, err, kmshelper.ExitUnusable, "no such key")
	})
}

func TestATokenThatIsNotTakenIsNamed(t *testing.T) {
	both(t, func(t *testing.T, cloud *clouddouble.Cloud, uri string) {
		in := request(cloud, uri, kmshelper.Encrypt, keyset, "place")
		cloud.TokenFault = 400
		_, err := ask(t, cloud.Way(), in)
		expect(t, cloud, err, kmshelper.ExitFailed, "does not exchange the token of the pod")
		expect(t, cloud, err, kmshelper.ExitFailed, "answers 400")
		cloud.TokenFault = 0
		if err := os.WriteFile(cloud.TokenFile, []byte("another token"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = ask(t, cloud.Way(), in)
		expect(t, cloud, err, kmshelper.ExitFailed, "must trust the cluster's issuer")
		if err := os.Remove(cloud.TokenFile); err != nil {
			t.Fatal(err)
		}
		_, err = ask(t, cloud.Way(), in)
		expect(t, cloud, err, kmshelper.ExitFailed, "mount a token for the audience")
	})
}

func TestAServiceThatDoesNotAnswerOrIsAnotherIsNamed(t *testing.T) {
	both(t, func(t *testing.T, cloud *clouddouble.Cloud, uri string) {
		in := request(cloud, uri, kmshelper.Encrypt, keyset, "place")
		cloud.Silent = true
		_, err := askFor(t, brief, cloud.Way(), in)
		expect(t, cloud, err, kmshelper.ExitFailed, "cannot be used now")

		stranger := cloud.Way()
		stranger.Roots = clouddouble.New(t).Way().Roots
		_, err = ask(t, stranger, in)
		expect(t, cloud, err, kmshelper.ExitFailed, "certificate signed by unknown authority")

		nobody := cloud.Way()
		nobody.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:1")
		}
		_, err = ask(t, nobody, in)
		expect(t, cloud, err, kmshelper.ExitFailed, "connection refused")
	})
}

func TestTheKeyServiceItselfMayBeTheOneThatIsAnother(t *testing.T) {
	both(t, func(t *testing.T, cloud *clouddouble.Cloud, uri string) {
		key, err := kmshelper.ParseKey(uri)
		if err != nil {
			t.Fatal(err)
		}
		stranger, way := clouddouble.New(t), cloud.Way()
		way.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if address == key.Hosts()[0]+":443" {
				return new(net.Dialer).DialContext(ctx, network, stranger.Address)
			}
			return new(net.Dialer).DialContext(ctx, network, cloud.Address)
		}
		_, err = ask(t, way, request(cloud, uri, kmshelper.Encrypt, keyset, "place"))
		expect(t, cloud, err, kmshelper.ExitFailed, "certificate signed by unknown authority")
	})
}

func TestARequestThatCannotBeMeantIsNotBegun(t *testing.T) {
	cloud := clouddouble.New(t)
	for name, in := range map[string]string{
		"nothing":      "",
		"no JSON":      "keyset",
		"no operation": `{"uri":"` + clouddouble.AWSKey + `","data":"YQ=="}`,
		"no data":      `{"operation":"encrypt","uri":"` + clouddouble.AWSKey + `"}`,
		"no cloud":     `{"operation":"encrypt","uri":"azure-kms://a/b","data":"YQ=="}`,
		"no role":      `{"operation":"encrypt","uri":"` + clouddouble.AWSKey + `","data":"YQ==","identity":{}}`,
		"too long":     `{"data":"` + strings.Repeat("a", kmshelper.MaxMessage),
	} {
		err := serve(t.Context(), strings.NewReader(in), &bytes.Buffer{}, cloud.Way())
		t.Log(name, err)
		expect(t, cloud, err, kmshelper.ExitUnusable, "")
	}
	if len(cloud.Asked()) > 0 {
		t.Errorf("asked %v", cloud.Asked())
	}
}
