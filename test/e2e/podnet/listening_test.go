// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podnet

import (
	"slices"
	"testing"
)

func TestOnlySocketsThatListenBeyondLoopbackCount(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	for name, c := range map[string]struct {
		table string
		want  []uint16
	}{
		"any address":      {"   0: 00000000:1538 00000000:0000 0A 00000000:00000000\n", []uint16{5432}},
		"an address":       {"   0: 0B00C80A:280A 00000000:0000 0A 00000000:00000000\n", []uint16{10250}},
		"loopback":         {"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n", nil},
		"established":      {"   0: 0B00C80A:280A 0C00C80A:E000 01 00000000:00000000\n", nil},
		"any IPv6 address": {"   0: 00000000000000000000000000000000:20FB 0:0 0A 0:0\n", []uint16{8443}},
		"IPv6 loopback":    {"   0: 00000000000000000000000001000000:20FB 0:0 0A 0:0\n", nil},
		"mapped loopback":  {"   0: 0000000000000000FFFF00000100007F:20FB 0:0 0A 0:0\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := listening(head + c.table)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("want %v, got %v, %v", c.want, got, err)
			}
		})
	}
}
