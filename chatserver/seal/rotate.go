// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"fmt"
	"slices"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
)

// Keyset names one of a tenant's two keysets.
type Keyset string

const (
	// Sealing encrypts rows and subject keysets.
	Sealing Keyset = "sealing"
	// Index computes blind indexes.
	Index Keyset = "index"
)

// template is what new keys of a keyset are made from.
func (k Keyset) template() *tinkpb.KeyTemplate {
	if k == Index {
		return prf.HMACSHA256PRFKeyTemplate()
	}
	// Wide random nonces: this key wraps one keyset per visitor for as long as it is the primary one.
	return aead.XAES256GCM192BitNonceKeyTemplate()
}

// KeyIDs names the keys of a keyset. They are not secret: every ciphertext begins with its key's.
type KeyIDs struct {
	// Primary is the key that seals and indexes.
	Primary uint32
	// Others only open and look up.
	Others []uint32
}

// All are the keys, the primary one first.
func (k KeyIDs) All() []uint32 { return append([]uint32{k.Primary}, k.Others...) }

// lacks tells whether id names a key that is not in the keyset.
func (k KeyIDs) lacks(id uint32) bool {
	return id != 0 && id != k.Primary && !slices.Contains(k.Others, id)
}

func idsOf(handle *keyset.Handle) (KeyIDs, error) {
	var ids KeyIDs
	for i := range handle.Len() {
		entry, err := handle.Entry(i)
		if err != nil {
			return KeyIDs{}, fmt.Errorf("read keyset: %w", err)
		}
		if entry.IsPrimary() {
			ids.Primary = entry.KeyID()
		} else {
			ids.Others = append(ids.Others, entry.KeyID())
		}
	}
	return ids, nil
}

// KeyIDs names the keys of one of the tenant's keysets.
func (t *Tenant) KeyIDs(which Keyset) KeyIDs {
	if which == Index {
		return t.indexIDs
	}
	return t.ids
}

// WithNewKey returns the tenant with one more key in a keyset, which opens and looks up but does not yet seal or index:
// every replica can learn of it before it is used.
func (t *Tenant) WithNewKey(which Keyset) (with *Tenant, id uint32, err error) {
	with, err = t.change(which, func(m *keyset.Manager) error {
		id, err = m.Add(which.template())
		return err
	})
	return with, id, err
}

// WithPrimary returns the tenant with another key of a keyset as the one that seals or indexes.
func (t *Tenant) WithPrimary(which Keyset, id uint32) (*Tenant, error) {
	return t.change(which, func(m *keyset.Manager) error { return m.SetPrimary(id) })
}

// WithoutOthers returns the tenant with nothing but the primary key in a keyset. What another key sealed is lost.
func (t *Tenant) WithoutOthers(which Keyset) (*Tenant, error) {
	others := t.KeyIDs(which).Others
	return t.change(which, func(m *keyset.Manager) error { return deleteKeys(m, others) })
}

func deleteKeys(m *keyset.Manager, ids []uint32) error {
	for _, id := range ids {
		if err := m.Delete(id); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tenant) change(which Keyset, edit func(*keyset.Manager) error) (*Tenant, error) {
	open := t.keysets
	edited := &open.sealing
	if which == Index {
		edited = &open.index
	}
	handle, err := changed(*edited, edit)
	if err != nil {
		return nil, fmt.Errorf("change %s keyset: %w", which, err)
	}
	*edited = handle
	return newTenant(t.tenant, open)
}

func changed(handle *keyset.Handle, edit func(*keyset.Manager) error) (*keyset.Handle, error) {
	manager := keyset.NewManagerFromHandle(handle)
	if err := edit(manager); err != nil {
		return nil, err
	}
	return manager.Handle()
}
