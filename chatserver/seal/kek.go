// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"context"

	"github.com/tink-crypto/tink-go/v2/tink"
)

// KEK is a key-encryption key. It wraps a tenant's keysets and nothing else, so it is asked a few times an hour and may
// be far away. DecryptWithContext reports ErrRefused for what the key does not open; any other error says that the key
// could not be asked or did not answer.
type KEK = tink.AEADWithContext

// candid keeps the error of a KEK, of which Tink passes on only the text.
type candid struct {
	KEK
	err error
}

func (c *candid) EncryptWithContext(ctx context.Context, plaintext, associatedData []byte) (out []byte, err error) {
	out, c.err = c.KEK.EncryptWithContext(ctx, plaintext, associatedData)
	return out, c.err
}

func (c *candid) DecryptWithContext(ctx context.Context, ciphertext, associatedData []byte) (out []byte, err error) {
	out, c.err = c.KEK.DecryptWithContext(ctx, ciphertext, associatedData)
	return out, c.err
}
