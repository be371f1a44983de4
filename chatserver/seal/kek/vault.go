// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package kek

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/openbao/openbao/api/v2"
	"k8s.io/utils/clock"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/chatserver/seal"
)

// callTimeout bounds each call of a key service, logging in included.
const callTimeout = 10 * time.Second

// FromVaultTransit uses a key of the transit engine of Vault or OpenBao, which it connects to directly.
func FromVaultTransit(config serverconfig.VaultTransit) Key { return vaultTransitThrough(nil, config) }

func vaultTransitThrough(gateway *egressconfig.Client, config serverconfig.VaultTransit) Key {
	t := &transit{config: config, session: vaultSession{
		config: config, dial: dialThrough(gateway), clock: clock.RealClock{},
	}}
	return Key{
		KEK: t, Generation: config.Generation, Remote: true, Version: transitVersion,
		Name: fmt.Sprintf("vaultTransit %s %s/%s", config.Address, config.MountPath, config.Key),
	}
}

// transit asks the engine for every operation: the key never leaves it.
type transit struct {
	config  serverconfig.VaultTransit
	session vaultSession
}

// transitVersion reads the key's version from a ciphertext, vault:v<version>:<base64>. It is 0 for anything else.
func transitVersion(ciphertext []byte) int64 {
	rest, ok := strings.CutPrefix(string(ciphertext), "vault:v")
	if !ok {
		return 0
	}
	digits, _, _ := strings.Cut(rest, ":")
	version, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0
	}
	return version
}

func (t *transit) EncryptWithContext(ctx context.Context, plaintext, associatedData []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := t.call(ctx, "encrypt", "ciphertext", associatedData, map[string]any{"plaintext": encoded(plaintext)})
	if err != nil {
		return nil, err
	}
	return []byte(out), proveBinding(ctx, t, t.config.Address, []byte(out), associatedData)
}

func (t *transit) DecryptWithContext(ctx context.Context, ciphertext, associatedData []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return t.decrypt(ctx, string(ciphertext), associatedData)
}

func (t *transit) decrypt(ctx context.Context, ciphertext string, associatedData []byte) ([]byte, error) {
	out, err := t.call(ctx, "decrypt", "plaintext", associatedData, map[string]any{"ciphertext": ciphertext})
	if err != nil {
		return nil, err
	}
	plaintext, err := base64.StdEncoding.DecodeString(out)
	if err != nil {
		return nil, fmt.Errorf("%w: decrypt with %s: the answer is not base64", ErrUnavailable, t.config.Address)
	}
	return plaintext, nil
}

// call performs one operation and returns the field of the answer that holds its result.
func (t *transit) call(
	ctx context.Context, operation, result string, associatedData []byte, request map[string]any,
) (string, error) {
	if len(associatedData) > 0 {
		request["associated_data"] = encoded(associatedData)
	}
	path := strings.Join([]string{t.config.MountPath, operation, t.config.Key}, "/")
	answer, err := t.write(ctx, path, request)
	var response *api.ResponseError
	switch {
	case errors.Is(err, ErrUnavailable):
		return "", err
	case errors.As(err, &response):
		return "", transitError(operation, path, response)
	case err != nil:
		return "", fmt.Errorf("%w: %s: %w", ErrUnavailable, path, err)
	case answer != nil:
		if out, ok := answer.Data[result].(string); ok {
			return out, nil
		}
	}
	return "", fmt.Errorf("%w: %s at %s: no %s in the answer", ErrUnavailable, path, t.config.Address, result)
}

// write sends a request. A token that is refused may just have ended, so a session begun before is begun again once.
func (t *transit) write(ctx context.Context, path string, request map[string]any) (*api.Secret, error) {
	for again := false; ; again = true {
		client, older, err := t.session.client(ctx)
		if err != nil {
			return nil, err
		}
		answer, err := client.Logical().WriteWithContext(ctx, path, request)
		if err == nil {
			return answer, nil
		}
		t.session.end()
		var response *api.ResponseError
		if again || !older || !errors.As(err, &response) || response.StatusCode != http.StatusForbidden {
			return nil, err
		}
	}
}

// transitError tells what the key refuses from what the server does. The server's own words are passed on only where
// the request held nothing secret.
func transitError(operation, path string, response *api.ResponseError) error {
	switch {
	case operation == "decrypt" && response.StatusCode == http.StatusBadRequest:
		return fmt.Errorf("%w: %s: %s", seal.ErrRefused, path, words(response))
	case operation == "decrypt":
		return fmt.Errorf("%w: %s: %s: %s", ErrUnavailable, path, meaning(response.StatusCode), words(response))
	default:
		return fmt.Errorf("%w: %s: %s", ErrUnavailable, path, meaning(response.StatusCode))
	}
}

func meaning(status int) string {
	switch status {
	case http.StatusForbidden:
		return "permission denied: the policy must allow update on it, and the credentials must be valid"
	case http.StatusNotFound:
		return "there is no transit engine"
	case http.StatusBadRequest:
		return "the server refuses the request: there is no such key, or none that takes associated data"
	case http.StatusServiceUnavailable:
		return "the server is sealed, in standby or down"
	default:
		return http.StatusText(status)
	}
}

// words are what the server says, on one line and no more than belongs into a log.
func words(response *api.ResponseError) string {
	const most = 200
	text := strings.Join(strings.Fields(strings.Join(response.Errors, "; ")), " ")
	return text[:min(len(text), most)]
}

func encoded(data []byte) string { return base64.StdEncoding.EncodeToString(data) }
