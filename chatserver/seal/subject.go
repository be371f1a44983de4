// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"fmt"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

func subjectPlace(subject uuid.UUID) Place {
	return Place{Table: "subject_key", Column: "wrapped", Row: [][]byte{subject[:]}}
}

// NewSubject makes the keyset of one data subject, wrapped under the tenant's.
func (t *Tenant) NewSubject(subject uuid.UUID) ([]byte, error) {
	return wrapNew(aead.AES256GCMKeyTemplate(), t.aead, t.tenant, subjectPlace(subject))
}

// OpenSubject unwraps what NewSubject made for the same subject, or reports ErrRefused.
func (t *Tenant) OpenSubject(subject uuid.UUID, wrapped []byte) (*Key, error) {
	handle, err := t.unwrapSubject(subject, wrapped)
	if err != nil {
		return nil, err
	}
	return newKey(t.tenant, handle)
}

// RewrapSubject wraps a subject's keyset anew, under the tenant's primary key.
func (t *Tenant) RewrapSubject(subject uuid.UUID, wrapped []byte) ([]byte, error) {
	return t.changeSubject(subject, wrapped, func(*keyset.Manager) error { return nil })
}

// RotateSubject adds a key to a subject's keyset, which seals from now on.
func (t *Tenant) RotateSubject(subject uuid.UUID, wrapped []byte) ([]byte, error) {
	return t.changeSubject(subject, wrapped, func(m *keyset.Manager) error {
		id, err := m.Add(aead.AES256GCMKeyTemplate())
		if err != nil {
			return err
		}
		return m.SetPrimary(id)
	})
}

// RetireSubject leaves nothing but the primary key in a subject's keyset. What another key sealed is lost.
func (t *Tenant) RetireSubject(subject uuid.UUID, wrapped []byte) ([]byte, error) {
	key, err := t.OpenSubject(subject, wrapped)
	if err != nil {
		return nil, err
	}
	return t.changeSubject(subject, wrapped, func(m *keyset.Manager) error { return deleteKeys(m, key.ids.Others) })
}

func (t *Tenant) changeSubject(subject uuid.UUID, wrapped []byte, edit func(*keyset.Manager) error) ([]byte, error) {
	handle, err := t.unwrapSubject(subject, wrapped)
	if err != nil {
		return nil, err
	}
	if handle, err = changed(handle, edit); err != nil {
		return nil, fmt.Errorf("change subject keyset: %w", err)
	}
	return wrap(handle, t.aead, t.tenant, subjectPlace(subject))
}

func (t *Tenant) unwrapSubject(subject uuid.UUID, wrapped []byte) (*keyset.Handle, error) {
	handle, err := unwrap(wrapped, t.aead, t.tenant, subjectPlace(subject))
	if err != nil && t.ids.lacks(wrapperID(wrapped)) {
		return nil, fmt.Errorf("%w: %w", err, ErrUnknownKey)
	}
	return handle, err
}
