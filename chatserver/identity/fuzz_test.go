// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"bytes"
	"errors"
	"testing"

	"github.com/chattenant/chattenant/chatserver/redacted"
)

// FuzzParseToken holds the parser of bearer secrets to one text for one secret: nobody is known by two.
func FuzzParseToken(f *testing.F) {
	f.Add(newToken().text.Reveal())
	for _, seed := range []string{"", "=", "AAAA", " " + newToken().text.Reveal(), newToken().text.Reveal() + "="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := parseToken(redacted.New(text))
		if err != nil {
			if !errors.Is(err, ErrUnauthenticated) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		raw, err := encoding.DecodeString(text)
		if err != nil || encoding.EncodeToString(raw) != text {
			t.Fatalf("%q is another way to write a secret", text)
		}
		if parsed.text.Reveal() != text {
			t.Fatalf("%q reads as %q", text, parsed.text.Reveal())
		}
	})
}

// FuzzDecodeHash finds that a stored password hash is read as what it is written from, or not at all.
func FuzzDecodeHash(f *testing.F) {
	whole := hash{memoryKiB: 19456, time: 2, threads: 1, salt: make([]byte, 16), sum: make([]byte, hashSize)}
	f.Add(whole.encode().Reveal())
	for _, seed := range []string{
		"", "$argon2id$", "$argon2id$v=19$m=1,t=1,p=1$$", "$argon2id$v=19$m=4294967295,t=1,p=1$AA$AA",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		read, err := decodeHash(redacted.New(text))
		if err != nil {
			return
		}
		again, err := decodeHash(read.encode())
		if err != nil {
			t.Fatalf("what was read is not read again: %v", err)
		}
		if again.memoryKiB != read.memoryKiB || again.time != read.time || again.threads != read.threads ||
			!bytes.Equal(again.salt, read.salt) || !bytes.Equal(again.sum, read.sum) {
			t.Fatalf("%q reads as two hashes", text)
		}
		if read.memoryKiB > maxMemoryKiB || read.time > maxTime {
			t.Fatalf("%q takes more than a server has", text)
		}
	})
}
