// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/chattenant/chattenant/chatserver/redacted"
)

// Wrapped holds a tenant's keysets as the database stores them: encrypted under the KEK.
type Wrapped struct {
	// Sealing encrypts rows and subject keysets.
	Sealing []byte
	// Index computes blind indexes.
	Index []byte
}

// Tenant holds the open keysets of one tenant. Safe for concurrent use.
type Tenant struct {
	Key
	index *prf.Set
}

const keysetTable = "tenant_keyset"

func sealingPlace() Place { return Place{Table: keysetTable, Column: "sealing"} }
func indexPlace() Place   { return Place{Table: keysetTable, Column: "index"} }

// NewTenant makes the keysets of a tenant, wrapped under kek.
func NewTenant(kek tink.AEAD, tenant string) (Wrapped, error) {
	// Wide random nonces: this key wraps one keyset per visitor for as long as the tenant lives.
	sealing, err := wrapNew(aead.XAES256GCM192BitNonceKeyTemplate(), kek, tenant, sealingPlace())
	if err != nil {
		return Wrapped{}, err
	}
	index, err := wrapNew(prf.HMACSHA256PRFKeyTemplate(), kek, tenant, indexPlace())
	if err != nil {
		return Wrapped{}, err
	}
	return Wrapped{Sealing: sealing, Index: index}, nil
}

// OpenTenant unwraps a tenant's keysets. It reports ErrRefused when they belong to another KEK or tenant.
func OpenTenant(kek tink.AEAD, tenant string, wrapped Wrapped) (*Tenant, error) {
	handle, err := unwrap(wrapped.Sealing, kek, tenant, sealingPlace())
	if err != nil {
		return nil, err
	}
	key, err := newKey(tenant, handle)
	if err != nil {
		return nil, err
	}
	handle, err = unwrap(wrapped.Index, kek, tenant, indexPlace())
	if err != nil {
		return nil, err
	}
	index, err := prf.NewPRFSet(handle)
	if err != nil {
		return nil, fmt.Errorf("use index keyset: %w", err)
	}
	return &Tenant{Key: *key, index: index}, nil
}

// blindIndexSize is the length of a blind index in bytes.
const blindIndexSize = 32

// BlindIndex maps a value to bytes that equal only for equal values of the same table and column, so that a sealed
// column can be looked up by exact match. Without the key the value cannot be guessed from it.
func (t *Tenant) BlindIndex(table, column string, value redacted.String) ([]byte, error) {
	place := Place{Table: table, Column: column, Row: [][]byte{[]byte(value.Reveal())}}
	index, err := t.index.ComputePrimaryPRF(place.associatedData(t.tenant), blindIndexSize)
	if err != nil {
		return nil, fmt.Errorf("index %s.%s: %w", table, column, err)
	}
	return index, nil
}
