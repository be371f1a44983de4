// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
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
