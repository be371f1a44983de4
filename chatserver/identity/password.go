// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/argon2"

	"github.com/chattenant/chattenant/chatserver/redacted"
)

// ErrBusy says that too many passwords are being hashed already.
var ErrBusy = errors.New("too many sign-ins at once")

// argon2id parameters, as OWASP recommends for little memory.
const (
	hashMemoryKiB = 19 * 1024
	hashTime      = 2
	hashThreads   = 1
	hashSize      = 32
	saltSize      = 16
)

// What a stored hash may ask for: more than later parameters will, and no more than a server has.
const (
	maxMemoryKiB = 64 * 1024
	maxTime      = 10
)

const (
	// hashConcurrency bounds the memory that sign-ins can take: 19 MiB each.
	hashConcurrency = 1
	// hashWaiting bounds who waits for their turn; more are turned away.
	hashWaiting = 16
)

// Hasher hashes passwords, a bounded number at a time.
type Hasher struct {
	slots   chan struct{}
	waiting atomic.Int64
	// nobody is a well-formed hash that no password has, for accounts that do not exist.
	nobody hash
}

// NewHasher makes a hasher.
func NewHasher() (*Hasher, error) {
	nobody, err := newHash()
	if err != nil {
		return nil, err
	}
	nobody.sum = make([]byte, hashSize)
	if _, err := rand.Read(nobody.sum); err != nil {
		return nil, fmt.Errorf("make impossible hash: %w", err)
	}
	return &Hasher{slots: make(chan struct{}, hashConcurrency), nobody: nobody}, nil
}

// hash is an argon2id hash with what it takes to repeat it.
type hash struct {
	memoryKiB, time uint32
	threads         uint8
	salt, sum       []byte
}

func newHash() (hash, error) {
	h := hash{memoryKiB: hashMemoryKiB, time: hashTime, threads: hashThreads, salt: make([]byte, saltSize)}
	if _, err := rand.Read(h.salt); err != nil {
		return hash{}, fmt.Errorf("make salt: %w", err)
	}
	return h, nil
}

func (h hash) compute(password redacted.String) []byte {
	return argon2.IDKey([]byte(password.Reveal()), h.salt, h.time, h.memoryKiB, h.threads, hashSize)
}

// Hash returns the hash of a new password in PHC string form. It reports ErrBusy.
func (h *Hasher) Hash(ctx context.Context, password redacted.String) (redacted.String, error) {
	fresh, err := newHash()
	if err != nil {
		return redacted.String{}, err
	}
	err = h.turn(ctx, func() { fresh.sum = fresh.compute(password) })
	return fresh.encode(), err
}

// Verify tells whether password has the hash. An empty or unreadable hash takes as long and matches nothing.
func (h *Hasher) Verify(ctx context.Context, encoded, password redacted.String) (ok bool, err error) {
	want, err := decodeHash(encoded)
	known := err == nil
	if !known {
		want = h.nobody
	}
	err = h.turn(ctx, func() { ok = subtle.ConstantTimeCompare(want.compute(password), want.sum) == 1 })
	return ok && known, err
}

// turn runs work when it is its turn.
func (h *Hasher) turn(ctx context.Context, work func()) error {
	if h.waiting.Add(1) > hashWaiting {
		h.waiting.Add(-1)
		return ErrBusy
	}
	defer h.waiting.Add(-1)
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait to hash a password: %w", ctx.Err())
	case h.slots <- struct{}{}:
	}
	defer func() { <-h.slots }()
	work()
	if h.waiting.Load() == 1 {
		// Sign-ins are rare and what they needed is more than an idle server holds.
		debug.FreeOSMemory()
	}
	return nil
}

const hashFormat = "$argon2id$v=%d$m=%d,t=%d,p=%d$"

func (h hash) encode() redacted.String {
	b64 := base64.RawStdEncoding
	prefix := fmt.Sprintf(hashFormat, argon2.Version, h.memoryKiB, h.time, h.threads)
	return redacted.New(prefix + b64.EncodeToString(h.salt) + "$" + b64.EncodeToString(h.sum))
}

var errHash = errors.New("unreadable password hash")

func decodeHash(encoded redacted.String) (hash, error) {
	var h hash
	var version int
	if _, err := fmt.Sscanf(encoded.Reveal(), hashFormat, &version, &h.memoryKiB, &h.time, &h.threads); err != nil {
		return hash{}, errHash
	}
	fields := strings.Split(encoded.Reveal(), "$")
	const saltField, sumField, count = 4, 5, 6
	if len(fields) != count || version != argon2.Version {
		return hash{}, errHash
	}
	var saltErr, sumErr error
	h.salt, saltErr = base64.RawStdEncoding.DecodeString(fields[saltField])
	h.sum, sumErr = base64.RawStdEncoding.DecodeString(fields[sumField])
	if saltErr != nil || sumErr != nil || len(h.sum) != hashSize || !h.isAffordable() {
		return hash{}, errHash
	}
	return h, nil
}

func (h hash) isAffordable() bool {
	return h.memoryKiB <= maxMemoryKiB && h.time > 0 && h.time <= maxTime && h.threads > 0
}
