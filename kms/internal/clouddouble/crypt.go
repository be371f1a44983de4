// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package clouddouble

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
)

var errCiphertext = errors.New("the ciphertext does not open")

// seal binds to context, unless the double ignores it.
func (c *Cloud) seal(plaintext, context []byte) ([]byte, error) {
	key, err := c.key()
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, key.NonceSize())
	_, _ = rand.Read(nonce)
	return key.Seal(nonce, nonce, plaintext, c.remembered(context)), nil
}

func (c *Cloud) open(ciphertext, context []byte) ([]byte, error) {
	key, err := c.key()
	if err != nil {
		return nil, err
	}
	if len(ciphertext) < key.NonceSize() {
		return nil, errCiphertext
	}
	out, err := key.Open(nil, ciphertext[:key.NonceSize()], ciphertext[key.NonceSize():], c.remembered(context))
	if err != nil {
		return nil, errCiphertext
	}
	return out, nil
}

func (c *Cloud) remembered(context []byte) []byte {
	if c.Forgetful {
		return nil
	}
	return context
}

func (c *Cloud) key() (cipher.AEAD, error) {
	block, err := aes.NewCipher(c.secret[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
