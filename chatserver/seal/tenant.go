// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"context"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"

	"github.com/chattenant/chattenant/chatserver/redacted"
)

// Wrapped holds a tenant's keysets as the database stores them: encrypted under the KEK.
type Wrapped struct {
	// Sealing encrypts rows and subject keysets.
	Sealing []byte
	// Index computes blind indexes.
	Index []byte
}

// Tenant holds the open keysets of one tenant. It never changes: a rotation makes another one. Safe for concurrent use.
type Tenant struct {
	Key
	keysets  keysets
	prfs     *prf.Set
	indexIDs KeyIDs
}

const keysetTable = "tenant_keyset"

func sealingPlace() Place { return Place{Table: keysetTable, Column: "sealing"} }
func indexPlace() Place   { return Place{Table: keysetTable, Column: "index"} }

// NewTenant makes the keysets of a tenant, wrapped under kek.
func NewTenant(ctx context.Context, kek KEK, tenant string) (Wrapped, error) {
	sealing, err := keyset.NewHandle(Sealing.template())
	if err != nil {
		return Wrapped{}, fmt.Errorf("make keyset: %w", err)
	}
	index, err := keyset.NewHandle(Index.template())
	if err != nil {
		return Wrapped{}, fmt.Errorf("make index keyset: %w", err)
	}
	return keysets{sealing, index}.wrap(ctx, kek, tenant)
}

// OpenTenant unwraps a tenant's keysets. It reports ErrRefused when they belong to another KEK or tenant, and what the
// KEK says when it does not answer.
func OpenTenant(ctx context.Context, kek KEK, tenant string, wrapped Wrapped) (*Tenant, error) {
	open, err := unwrapKeysets(ctx, kek, tenant, wrapped)
	if err != nil {
		return nil, err
	}
	return newTenant(tenant, open)
}

// Wrap encrypts the keysets under kek, as OpenTenant takes them. Whether kek opens them again was tried.
func (t *Tenant) Wrap(ctx context.Context, kek KEK) (Wrapped, error) {
	return t.keysets.wrapOpenable(ctx, kek, t.tenant)
}

func newTenant(tenant string, open keysets) (*Tenant, error) {
	key, err := newKey(tenant, open.sealing)
	if err != nil {
		return nil, err
	}
	prfs, err := prf.NewPRFSet(open.index)
	if err != nil {
		return nil, fmt.Errorf("use index keyset: %w", err)
	}
	ids, err := idsOf(open.index)
	if err != nil {
		return nil, err
	}
	return &Tenant{Key: *key, keysets: open, prfs: prfs, indexIDs: ids}, nil
}

// blindIndexSize is the length of a blind index in bytes.
const blindIndexSize = 32

// BlindIndex maps a value to bytes that equal only for equal values of the same table and column, so that a sealed
// column can be looked up by exact match. Without the key the value cannot be guessed from it. It is computed with the
// primary key, for storing.
func (t *Tenant) BlindIndex(table, column string, value redacted.String) ([]byte, error) {
	return t.blindIndex(t.indexIDs.Primary, table, column, value)
}

// BlindIndexes are the indexes a value may be stored under, one for each key of the keyset, for looking up.
func (t *Tenant) BlindIndexes(table, column string, value redacted.String) ([][]byte, error) {
	var out [][]byte
	for _, id := range t.indexIDs.All() {
		index, err := t.blindIndex(id, table, column, value)
		if err != nil {
			return nil, err
		}
		out = append(out, index)
	}
	return out, nil
}

func (t *Tenant) blindIndex(id uint32, table, column string, value redacted.String) ([]byte, error) {
	place := Place{Table: table, Column: column, Row: [][]byte{[]byte(value.Reveal())}}
	index, err := t.prfs.PRFs[id].ComputePRF(place.associatedData(t.tenant), blindIndexSize)
	if err != nil {
		return nil, fmt.Errorf("index %s.%s: %w", table, column, err)
	}
	return index, nil
}
