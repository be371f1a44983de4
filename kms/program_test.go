// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/seal"
	"github.com/chattenant/chattenant/chatserver/seal/kek"
	"github.com/chattenant/chattenant/kms/internal/clouddouble"
)

// build builds the program as it is used, but for the network that it finds.
func build(t *testing.T, cloud *clouddouble.Cloud) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kms")
	buildTo(t, cloud, path)
	return path
}

func buildTo(t *testing.T, cloud *clouddouble.Cloud, path string) {
	t.Helper()
	flags := fmt.Sprintf("-s -w -X main.doubleAddress=%s -X main.doubleRoot=%s", cloud.Address,
		base64.StdEncoding.EncodeToString(cloud.Root))
	command := exec.CommandContext(t.Context(), "go", "build", "-tags=kmsdouble", "-ldflags="+flags, "-o", path, ".")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v: %s", err, out)
	}
}

// keyOf is the key as the chat server has it, reached through the program.
func keyOf(cloud *clouddouble.Cloud, program, uri string) kek.Key {
	return kek.FromKMS(serverconfig.KMS{
		Generation: 2, URI: uri, Program: program, Identity: cloud.Identity(uri),
	})
}

func TestAChatServersKeysetsAreWrappedThroughTheProgram(t *testing.T) {
	// None of it is to have an effect.
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	t.Setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:1")
	t.Setenv("AWS_ACCESS_KEY_ID", "another")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "another")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere")
	cloud := clouddouble.New(t)
	program := build(t, cloud)
	for name, uri := range map[string]string{"AWS": clouddouble.AWSKey, "Google": clouddouble.GoogleKey} {
		t.Run(name, func(t *testing.T) {
			key := keyOf(cloud, program, uri)
			wrapped, err := seal.NewTenant(t.Context(), key, "acme")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := seal.OpenTenant(t.Context(), key, "acme", wrapped); err != nil {
				t.Errorf("open again: %v", err)
			}
			if _, err := seal.OpenTenant(t.Context(), key, "initech", wrapped); !errors.Is(err, seal.ErrRefused) {
				t.Errorf("as another tenant: %v, want ErrRefused", err)
			}
			if _, err := key.DecryptWithContext(t.Context(), []byte("garbage"), nil); !errors.Is(err, seal.ErrRefused) {
				t.Errorf("garbage: %v, want ErrRefused", err)
			}
			gone := keyOf(cloud, program, uri+"0")
			if _, err := gone.EncryptWithContext(t.Context(), []byte(keyset), nil); !errors.Is(err, kek.ErrUnusable) {
				t.Errorf("a key that is not there: %v, want ErrUnusable", err)
			}
		})
	}
}

func TestACloudThatForgetsAssociatedDataIsNotUsed(t *testing.T) {
	cloud := clouddouble.New(t)
	cloud.Forgetful = true
	program := build(t, cloud)
	for _, uri := range []string{clouddouble.AWSKey, clouddouble.GoogleKey} {
		_, err := keyOf(cloud, program, uri).EncryptWithContext(t.Context(), []byte(keyset), []byte("place"))
		if !errors.Is(err, kek.ErrUnusable) {
			t.Errorf("got %v, want ErrUnusable", err)
		}
	}
}

func TestTheProgramItselfSaysWhoDidNotAnswerBeforeItIsStopped(t *testing.T) {
	both(t, func(t *testing.T, cloud *clouddouble.Cloud, uri string) {
		cloud.Silent = true
		_, err := keyOf(cloud, build(t, cloud), uri).EncryptWithContext(t.Context(), []byte(keyset), []byte("place"))
		if !errors.Is(err, kek.ErrUnavailable) || !strings.Contains(err.Error(), "no answer in time (it takes") {
			t.Errorf("got %v", err)
		}
	})
}

func TestTheProgramIsEndedBeforeTheChatServerWhereMemoryIsShort(t *testing.T) {
	command := exec.CommandContext(t.Context(), build(t, clouddouble.New(t)))
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	// It waits for its request meanwhile.
	defer func() { _ = in.Close(); _ = command.Wait() }()
	var score []byte
	for range 3000 {
		score, err = os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", command.Process.Pid))
		if err != nil || strings.TrimSpace(string(score)) == "1000" {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil || strings.TrimSpace(string(score)) != "1000" {
		t.Errorf("its score is %q, %v", score, err)
	}
}

func TestAProgramBuiltForUseHasNoOtherNetworkThanTheMachines(t *testing.T) {
	if way := way(); way.Dial != nil || way.Roots != nil {
		t.Errorf("the way out is %+v", way)
	}
	files, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.GoFiles}}", ".").Output()
	if err != nil || strings.Contains(string(files), "double") {
		t.Errorf("built from %s, %v", files, err)
	}
}
