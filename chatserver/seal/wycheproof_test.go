// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/aead/xaesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	tinkkey "github.com/tink-crypto/tink-go/v2/key"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/prf/hmacprf"
	"github.com/tink-crypto/tink-go/v2/secretdata"

	"github.com/chattenant/chattenant/chatserver/seal/vectors"
)

// local is a KEK in memory.
type local struct{ *subtle.AESGCM }

func (l local) EncryptWithContext(_ context.Context, plaintext, ad []byte) ([]byte, error) {
	return l.Encrypt(plaintext, ad)
}

func (l local) DecryptWithContext(_ context.Context, ciphertext, ad []byte) ([]byte, error) {
	return l.Decrypt(ciphertext, ad)
}

// stored makes a keyset of one key and returns it as it comes back from the database: wrapped and unwrapped.
func stored(t *testing.T, key tinkkey.Key) *keyset.Handle {
	t.Helper()
	manager := keyset.NewManager()
	id, err := manager.AddKey(key)
	if err == nil {
		err = manager.SetPrimary(id)
	}
	if err != nil {
		t.Fatal(err)
	}
	handle, err := manager.Handle()
	if err != nil {
		t.Fatal(err)
	}
	cipher, err := subtle.NewAESGCM(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := wrapUnder(t.Context(), local{cipher}, handle, "acme", sealingPlace())
	if err != nil {
		t.Fatal(err)
	}
	if handle, err = unwrapUnder(t.Context(), local{cipher}, wrapped, "acme", sealingPlace()); err != nil {
		t.Fatal(err)
	}
	return handle
}

func secret(data []byte) secretdata.Bytes {
	return secretdata.NewBytesFromData(data, insecuresecretdataaccess.Token{})
}

// use makes what seals and opens out of one key.
func use(t *testing.T, key tinkkey.Key) *Key {
	t.Helper()
	out, err := newKey("acme", stored(t, key))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// subjectVectors are those of keys and nonces as visitors' keys have them.
func subjectVectors(t *testing.T) (out []vectors.Test) {
	t.Helper()
	for _, group := range vectors.Read(t, vectors.AESGCM) {
		if group.KeySize == 256 && group.IVSize == 96 {
			out = append(out, group.Tests...)
		}
	}
	if len(out) < 66 {
		t.Fatalf("only %d vectors", len(out))
	}
	return out
}

func TestWycheproofAESGCMWithASubjectsKey(t *testing.T) {
	parameters, err := aesgcm.NewParameters(aesgcm.ParametersOpts{
		KeySizeInBytes: 32, IVSizeInBytes: 12, TagSizeInBytes: 16, Variant: aesgcm.VariantNoPrefix,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range subjectVectors(t) {
		imported, err := aesgcm.NewKey(secret(test.Key), 0, parameters)
		if err != nil {
			t.Fatal(err)
		}
		got, err := use(t, imported).aead.Decrypt(test.Ciphertext(), test.AAD)
		if opened := err == nil; opened != test.Valid() || opened && !bytes.Equal(got, test.Message) {
			t.Errorf("%d (%s) is %s: opened = %v", test.ID, test.Comment, test.Result, opened)
		}
	}
}

// TestXAESGCMAsSpecifiedWithTheTenantsKey has no vectors of Wycheproof to go by: keys, nonces, texts and spoilt tags of
// those for AES-GCM go through the construction as C2SP specifies it, written down a second time here.
func TestXAESGCMAsSpecifiedWithTheTenantsKey(t *testing.T) {
	parameters, err := xaesgcm.NewParameters(xaesgcm.VariantNoPrefix, 12)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range subjectVectors(t) {
		imported, err := xaesgcm.NewKey(secret(test.Key), 0, parameters)
		if err != nil {
			t.Fatal(err)
		}
		salt := test.Key[:12]
		ciphertext := append(bytes.Clone(salt), test.IV...)
		ciphertext = xaes(t, test.Key, salt).Seal(ciphertext, test.IV, test.Message, test.AAD)
		if !test.Valid() {
			ciphertext = append(ciphertext[:len(ciphertext)-16], test.Tag...)
		}
		got, err := use(t, imported).aead.Decrypt(ciphertext, test.AAD)
		if opened := err == nil; opened != test.Valid() || opened && !bytes.Equal(got, test.Message) {
			t.Errorf("%d (%s) is %s: opened = %v", test.ID, test.Comment, test.Result, opened)
		}
	}
}

// xaes derives the AES-GCM key of a nonce that begins with salt: two blocks of CMAC, in counter mode.
func xaes(t *testing.T, key, salt []byte) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	var l [16]byte
	block.Encrypt(l[:], l[:])
	carry := byte(0)
	for i := range l {
		b := &l[len(l)-1-i]
		*b, carry = *b<<1|carry, *b>>7
	}
	l[len(l)-1] ^= carry * 0b10000111
	var derived []byte
	for counter := byte(1); counter <= 2; counter++ {
		m := append([]byte{0, counter, 'X', 0}, salt...)
		for i := range m {
			m[i] ^= l[i]
		}
		block.Encrypt(m, m)
		derived = append(derived, m...)
	}
	if block, err = aes.NewCipher(derived); err != nil {
		t.Fatal(err)
	}
	out, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWycheproofHMACWithTheIndexKey(t *testing.T) {
	valid, invalid := 0, 0
	for _, group := range vectors.Read(t, vectors.HMACSHA256) {
		for _, test := range group.Tests {
			equal := bytes.Equal(hmac(t, test, group.TagSize/8), test.Tag)
			if equal != test.Valid() {
				t.Errorf("%d (%s) is %s: equal = %v", test.ID, test.Comment, test.Result, equal)
			}
			if test.Valid() {
				valid++
			} else {
				invalid++
			}
		}
	}
	if valid < 60 || invalid < 100 {
		t.Errorf("%d valid and %d invalid vectors: some are missing", valid, invalid)
	}
}

// hmac is what blind indexes are made with.
func hmac(t *testing.T, test vectors.Test, size int) []byte {
	t.Helper()
	parameters, err := hmacprf.NewParameters(len(test.Key), hmacprf.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	imported, err := hmacprf.NewKey(secret(test.Key), parameters)
	if err != nil {
		t.Fatal(err)
	}
	index, err := prf.NewPRFSet(stored(t, imported))
	if err != nil {
		t.Fatal(err)
	}
	out, err := index.ComputePrimaryPRF(test.Message, uint32(size)) //nolint:gosec // A tag's size.
	if err != nil {
		t.Fatal(err)
	}
	return out
}
