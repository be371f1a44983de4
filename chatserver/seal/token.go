// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"encoding/binary"
	"fmt"

	"github.com/chattenant/chattenant/chatserver/redacted"
)

// tokenSize is the length of a token in bytes: short enough to be cheap to store many, long enough that two words of a
// tenant seldom have the same one. Whoever finds something by its tokens looks whether the words are really there.
const tokenSize = 4

// Token stands for a word in the place and period it was said: equal for equal words of one column and period, and
// telling nothing of the word to those without the key.
type Token = int32

// Tokens maps words to tokens of a table, column and period under that key of the index keyset.
func (t *Tenant) Tokens(key uint32, table, column string, period int32, words []redacted.String) ([]Token, error) {
	prf, ok := t.prfs.PRFs[key]
	if !ok {
		return nil, fmt.Errorf("make tokens of %s.%s: key %d is not in the keyset", table, column, key)
	}
	when := binary.BigEndian.AppendUint32(nil, uint32(period)) //nolint:gosec // The same bytes, whatever the sign.
	tokens := make([]Token, 0, len(words))
	for _, word := range words {
		place := Place{Table: table, Column: column, Row: [][]byte{when, []byte(word.Reveal())}}
		sum, err := prf.ComputePRF(place.associatedData(t.tenant), tokenSize)
		if err != nil {
			return nil, fmt.Errorf("make tokens of %s.%s: %w", table, column, err)
		}
		tokens = append(tokens, Token(binary.BigEndian.Uint32(sum))) //nolint:gosec // The same bits.
	}
	return tokens, nil
}
