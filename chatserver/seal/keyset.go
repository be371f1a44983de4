// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"cmp"
	"context"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// wrapNew makes a keyset and returns it encrypted under wrapper, bound to place.
func wrapNew(template *tinkpb.KeyTemplate, wrapper tink.AEAD, tenant string, place Place) ([]byte, error) {
	handle, err := keyset.NewHandle(template)
	if err != nil {
		return nil, fmt.Errorf("make keyset: %w", err)
	}
	return wrap(handle, wrapper, tenant, place)
}

func wrap(handle *keyset.Handle, wrapper tink.AEAD, tenant string, place Place) ([]byte, error) {
	var out bytes.Buffer
	writer := keyset.NewBinaryWriter(&out)
	if err := handle.WriteWithAssociatedData(writer, wrapper, place.associatedData(tenant)); err != nil {
		return nil, fmt.Errorf("wrap keyset: %w", err)
	}
	return out.Bytes(), nil
}

func unwrap(wrapped []byte, wrapper tink.AEAD, tenant string, place Place) (*keyset.Handle, error) {
	reader := keyset.NewBinaryReader(bytes.NewReader(wrapped))
	handle, err := keyset.ReadWithAssociatedData(reader, wrapper, place.associatedData(tenant))
	if err != nil {
		return nil, fmt.Errorf("unwrap %s: %w", place.Table, ErrRefused)
	}
	return handle, nil
}

// wrapUnder encrypts a keyset under a KEK, bound to place.
func wrapUnder(ctx context.Context, kek KEK, handle *keyset.Handle, tenant string, place Place) ([]byte, error) {
	var out bytes.Buffer
	honest := &candid{KEK: kek}
	err := handle.WriteWithContext(ctx, keyset.NewBinaryWriter(&out), honest, place.associatedData(tenant))
	if err != nil {
		return nil, fmt.Errorf("wrap %s.%s: %w", place.Table, place.Column, cmp.Or(honest.err, err))
	}
	return out.Bytes(), nil
}

// unwrapUnder decrypts what wrapUnder made. It passes on the KEK's errors; anything else is ErrRefused.
func unwrapUnder(ctx context.Context, kek KEK, wrapped []byte, tenant string, place Place) (*keyset.Handle, error) {
	honest := &candid{KEK: kek}
	reader := keyset.NewBinaryReader(bytes.NewReader(wrapped))
	handle, err := keyset.ReadWithContext(ctx, reader, honest, place.associatedData(tenant))
	if err != nil {
		return nil, fmt.Errorf("unwrap %s.%s: %w", place.Table, place.Column, cmp.Or(honest.err, ErrRefused))
	}
	return handle, nil
}

// wrapperID is the key that a wrapped keyset says it was encrypted with, 0 if it names none.
func wrapperID(wrapped []byte) uint32 {
	encrypted, err := keyset.NewBinaryReader(bytes.NewReader(wrapped)).ReadEncrypted()
	if err != nil {
		return 0
	}
	return KeyID(encrypted.GetEncryptedKeyset())
}
