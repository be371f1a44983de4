// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package isolation

import (
	"net/netip"

	"github.com/chattenant/chattenant/api/egressconfig"
)

// Block is a range of the internet's addresses of one family.
type Block struct {
	Range netip.Prefix
	// Except are the ranges within that are not the internet's.
	Except []netip.Prefix
}

// InternetBlocks are the addresses of Internet, one block per family. The egress gateway judges addresses by the same
// ranges: a network policy is the second line.
func InternetBlocks() []Block {
	var blocks []Block
	for _, public := range egressconfig.PublicRanges() {
		block := Block{Range: public}
		for _, special := range egressconfig.SpecialRanges() {
			if public.Overlaps(special.Prefix) {
				block.Except = append(block.Except, special.Prefix)
			}
		}
		blocks = append(blocks, block)
	}
	return blocks
}
