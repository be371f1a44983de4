// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package kek_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chattenant/chattenant/api/kmshelper"
	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/seal"
	"github.com/chattenant/chattenant/chatserver/seal/kek"
)

// Under one of these names the test binary behaves as a helper of that kind. Only its name can say so, because a helper
// gets neither arguments nor an environment.
var helpers = map[string]func() int{
	"works":         func() int { return work(true) },
	"forgets":       func() int { return work(false) },
	"fails":         func() int { return complain("AccessDenied:\n no permission", kmshelper.ExitFailed) },
	"has no key":    func() int { return complain("there is no such key", kmshelper.ExitUnusable) },
	"refuses":       func() int { return complain("not mine", kmshelper.ExitRefused) },
	"breaks down":   func() int { return complain("panic: "+secret, 2) },
	"says nothing":  func() int { return 0 },
	"hangs":         func() int { time.Sleep(time.Minute); return 0 },
	"babbles":       func() int { fmt.Print(strings.Repeat("{", 1<<20)); return 0 },
	"answers empty": func() int { fmt.Print(`{"data":""}`); return 0 },
	"says too much": func() int { fmt.Print(`{"data":"YQ=="} {"data":"YQ=="}`); return 0 },
	"is killed":     func() int { return killed() },
	"is spied on":   spied,
}

const secret = "what nobody may read"

func TestMain(m *testing.M) {
	if help := helpers[filepath.Base(os.Args[0])]; help != nil {
		os.Exit(help())
	}
	os.Exit(m.Run())
}

func complain(text string, status int) int {
	fmt.Fprintln(os.Stderr, text)
	return status
}

func killed() int {
	self, _ := os.FindProcess(os.Getpid())
	_ = self.Kill()
	time.Sleep(time.Minute)
	return 0
}

// spied refuses to work where others could see the request, or where it was given more than that.
func spied() int {
	if len(os.Args) > 1 || len(os.Environ()) > 0 {
		return complain(fmt.Sprint(os.Args[1:], os.Environ()), kmshelper.ExitFailed)
	}
	return work(true)
}

// work encrypts with the key that lies beside the token.
func work(bound bool) int {
	var in kmshelper.Request
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		return kmshelper.ExitUnusable
	}
	if !bound {
		in.AssociatedData = nil
	}
	key := fromFile(in.Identity.TokenFile, 1)
	operation := key.EncryptWithContext
	if in.Operation == kmshelper.Decrypt {
		operation = key.DecryptWithContext
	}
	out, err := operation(context.Background(), in.Data, in.AssociatedData)
	switch {
	case errors.Is(err, seal.ErrRefused):
		return kmshelper.ExitRefused
	case err != nil:
		return kmshelper.ExitFailed
	}
	_ = json.NewEncoder(os.Stdout).Encode(kmshelper.Answer{Data: out})
	return 0
}

const keyURI = "aws-kms://arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

func cloudKey(t *testing.T, way string) kek.Key {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), way)
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	return kek.FromKMS(serverconfig.KMS{
		Generation: 4, URI: keyURI, Program: program, Identity: kmshelper.Identity{TokenFile: writeKey(t, "a", 32)},
	})
}

func TestACloudsKeyIsAskedThroughTheHelper(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "of the chat server")
	for _, way := range []string{"works", "is spied on"} {
		key := cloudKey(t, way)
		ciphertext := wrap(t, key, "place")
		expectOpens(t, key, ciphertext, "place")
		if _, err := key.DecryptWithContext(t.Context(), ciphertext, []byte("other")); !errors.Is(err, seal.ErrRefused) {
			t.Errorf("another place: %v, want ErrRefused", err)
		}
		if !key.Remote || key.Generation != 4 {
			t.Errorf("the key is %+v", key)
		}
	}
}

func TestEachWayInWhichAHelperFailsHasItsMeaning(t *testing.T) {
	for way, want := range map[string]struct {
		kind error
		text string
	}{
		"fails":         {kek.ErrUnavailable, "AccessDenied: no permission"},
		"has no key":    {kek.ErrUnusable, "there is no such key"},
		"refuses":       {seal.ErrRefused, "not mine"},
		"breaks down":   {kek.ErrUnavailable, "broke down: exit status 2"},
		"is killed":     {kek.ErrUnavailable, "broke down: signal: killed"},
		"says nothing":  {kek.ErrUnavailable, "makes no sense"},
		"answers empty": {kek.ErrUnavailable, "makes no sense"},
		"says too much": {kek.ErrUnavailable, "makes no sense"},
		"babbles":       {kek.ErrUnavailable, "makes no sense"},
		"hangs":         {kek.ErrUnavailable, "deadline"},
	} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			key := cloudKey(t, way)
			// The others end by themselves, however slow the machine is.
			patience := time.Minute
			if way == "hangs" {
				patience = time.Second
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_, err := key.DecryptWithContext(ctx, []byte("ciphertext"), nil)
			if !errors.Is(err, want.kind) || !strings.Contains(err.Error(), want.text) {
				t.Errorf("got %v, want %v with %q", err, want.kind, want.text)
			}
			if err != nil && (!strings.Contains(err.Error(), keyURI) || strings.Contains(err.Error(), secret)) {
				t.Errorf("%v does not name the key, or says too much", err)
			}
		})
	}
}

func TestAnEncryptionIsNeverTakenForRefused(t *testing.T) {
	_, err := cloudKey(t, "refuses").EncryptWithContext(t.Context(), []byte("keyset"), nil)
	if !errors.Is(err, kek.ErrUnavailable) || errors.Is(err, seal.ErrRefused) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

func TestACloudThatIgnoresAssociatedDataIsNotUsed(t *testing.T) {
	_, err := cloudKey(t, "forgets").EncryptWithContext(t.Context(), []byte("keyset"), []byte("place"))
	if !errors.Is(err, kek.ErrUnusable) {
		t.Errorf("got %v, want ErrUnusable", err)
	}
}

func TestAHelperThatIsNotThereIsNoMatterOfWaiting(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("no program"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{filepath.Join(dir, "missing"), dir, text} {
		key := kek.FromKMS(serverconfig.KMS{Generation: 1, URI: keyURI, Program: program})
		_, err := key.EncryptWithContext(t.Context(), []byte("keyset"), nil)
		if !errors.Is(err, kek.ErrUnusable) {
			t.Errorf("%s: got %v, want ErrUnusable", program, err)
		}
	}
}
