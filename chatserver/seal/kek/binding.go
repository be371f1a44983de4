// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package kek

import (
	"context"
	"errors"
	"fmt"

	"github.com/chattenant/chattenant/chatserver/seal"
)

// proveBinding finds services that do not know associated data, or ignore it: what they wrap would open anywhere.
func proveBinding(ctx context.Context, key seal.KEK, name string, ciphertext, associatedData []byte) error {
	other := append([]byte("another place than "), associatedData...)
	_, err := key.DecryptWithContext(ctx, ciphertext, other)
	switch {
	case errors.Is(err, seal.ErrRefused):
		return nil
	case err == nil:
		return fmt.Errorf("%w: %s does not check associated data: it needs AWS KMS, Google Cloud KMS, Vault 1.13, "+
			"OpenBao, or newer", ErrUnusable, name)
	default:
		return err
	}
}
