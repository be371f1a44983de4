// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package vectors reads the test vectors of Project Wycheproof for tests.
package vectors

import (
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"testing"

	"github.com/c2sp/wycheproof"
)

// Group holds vectors with the same sizes, in bits.
type Group struct {
	IVSize  int    `json:"ivSize"`
	KeySize int    `json:"keySize"`
	TagSize int    `json:"tagSize"`
	Tests   []Test `json:"tests"`
}

// Test is one vector; which fields are set depends on the kind.
type Test struct {
	ID      int    `json:"tcId"`
	Comment string `json:"comment"`
	Key     Bytes  `json:"key"`
	IV      Bytes  `json:"iv"`
	AAD     Bytes  `json:"aad"`
	Message Bytes  `json:"msg"`
	Sealed  Bytes  `json:"ct"`
	Tag     Bytes  `json:"tag"`
	// Result is valid or invalid: those must be refused.
	Result string `json:"result"`
}

// Valid tells whether the vector must be accepted.
func (t *Test) Valid() bool { return t.Result == "valid" }

// Ciphertext is the vector as it is stored: nonce, ciphertext, tag.
func (t *Test) Ciphertext() []byte {
	return append(append(append([]byte(nil), t.IV...), t.Sealed...), t.Tag...)
}

// Bytes are written in hexadecimal.
type Bytes []byte

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *Bytes) UnmarshalText(text []byte) error {
	out, err := hex.DecodeString(string(text))
	*b = out
	return err
}

// AESGCM and HMACSHA256 are files of vectors.
const (
	AESGCM     = "aes_gcm_test.json"
	HMACSHA256 = "hmac_sha256_test.json"
)

// Read returns the groups of a file.
func Read(tb testing.TB, file string) []Group {
	tb.Helper()
	data, err := fs.ReadFile(wycheproof.TestVectors, file)
	if err != nil {
		tb.Fatal(err)
	}
	var content struct {
		Groups []Group `json:"testGroups"`
	}
	if err := json.Unmarshal(data, &content); err != nil {
		tb.Fatal(err)
	}
	return content.Groups
}
