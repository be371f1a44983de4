// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import "encoding/binary"

// Place is where a ciphertext belongs. Row holds whatever identifies the row and gives the value its meaning.
type Place struct {
	Table  string
	Column string
	Row    [][]byte
}

const placeVersion = 1

// associatedData encodes tenant and place so that no two different places have the same encoding: each part carries
// its length.
func (p Place) associatedData(tenant string) []byte {
	out := []byte{placeVersion}
	for _, part := range []string{tenant, p.Table, p.Column} {
		out = appendPart(out, []byte(part))
	}
	for _, part := range p.Row {
		out = appendPart(out, part)
	}
	return out
}

func appendPart(out, part []byte) []byte {
	out = binary.BigEndian.AppendUint64(out, uint64(len(part)))
	return append(out, part...)
}
