// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package kek

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/api/kmshelper"
	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/seal"
)

// FromKMS uses a key of a cloud's key management service through the helper program, which connects to it directly.
func FromKMS(config serverconfig.KMS) Key { return kmsThrough(nil, config) }

func kmsThrough(gateway *egressconfig.Client, config serverconfig.KMS) Key {
	return Key{KEK: cloudKey{config, gateway}, Generation: config.Generation, Name: "kms " + config.URI, Remote: true}
}

type cloudKey struct {
	serverconfig.KMS

	gateway *egressconfig.Client
}

func (k cloudKey) EncryptWithContext(ctx context.Context, plaintext, associatedData []byte) ([]byte, error) {
	out, err := k.ask(ctx, kmshelper.Encrypt, plaintext, associatedData)
	if err != nil {
		return nil, err
	}
	return out, proveBinding(ctx, k, k.URI, out, associatedData)
}

func (k cloudKey) DecryptWithContext(ctx context.Context, ciphertext, associatedData []byte) ([]byte, error) {
	return k.ask(ctx, kmshelper.Decrypt, ciphertext, associatedData)
}

// ask runs the helper once.
func (k cloudKey) ask(
	ctx context.Context, operation kmshelper.Operation, data, associatedData []byte,
) ([]byte, error) {
	in, err := json.Marshal(kmshelper.Request{
		Operation: operation, URI: k.URI, Identity: k.Identity, Egress: k.gateway, Data: data,
		AssociatedData: associatedData,
	})
	if err != nil {
		return nil, fmt.Errorf("write request for the key service: %w", err)
	}
	defer clear(in)
	out, err := k.run(ctx, operation, in)
	defer clear(out)
	if err != nil {
		return nil, err
	}
	var answer kmshelper.Answer
	if err := json.Unmarshal(out, &answer); err != nil || len(answer.Data) == 0 {
		return nil, fmt.Errorf("%w: %s with %s: the answer of %s makes no sense", ErrUnavailable, operation, k.URI,
			k.Program)
	}
	return answer.Data, nil
}

func (k cloudKey) run(ctx context.Context, operation kmshelper.Operation, in []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, kmshelper.TimeLimit)
	defer cancel()
	out, complaint := beginning{most: kmshelper.MaxMessage}, beginning{most: longestComplaint}
	cmd := exec.CommandContext(ctx, k.Program) //nolint:gosec // The configuration names it.
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &complaint
	// Empty, since nil would mean this process's own.
	cmd.Env = []string{}
	// Grandchildren that keep the pipes open must not keep the call from ending.
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%s with %s: %w", operation, k.URI, k.failure(ctx, operation, err, complaint.line()))
	}
	return out.Bytes(), err
}

// failure tells what the key refuses from what makes it unavailable or unusable. Words are taken from nobody but a
// helper that ended as it is meant to: what a program says that breaks down may hold anything.
func (k cloudKey) failure(ctx context.Context, operation kmshelper.Operation, err error, complaint string) error {
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %s did not answer: %w", ErrUnavailable, k.Program, ctx.Err())
	case !errors.As(err, &exit):
		// It did not start, or its pipes broke.
		return fmt.Errorf("%w: run %s: %w", unlessMissing(err), k.Program, err)
	case exit.ExitCode() == kmshelper.ExitFailed:
		return fmt.Errorf("%w: %s", ErrUnavailable, complaint)
	case exit.ExitCode() == kmshelper.ExitUnusable:
		return fmt.Errorf("%w: %s", ErrUnusable, complaint)
	case exit.ExitCode() == kmshelper.ExitRefused && operation == kmshelper.Decrypt:
		return fmt.Errorf("%w: %s", seal.ErrRefused, complaint)
	default:
		return fmt.Errorf("%w: %s broke down: %w", ErrUnavailable, k.Program, err)
	}
}
