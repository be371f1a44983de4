// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/aead"
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
	handle, err := unwrap(wrapped, t.aead, t.tenant, subjectPlace(subject))
	if err != nil {
		return nil, err
	}
	return newKey(t.tenant, handle)
}
