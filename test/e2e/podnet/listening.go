// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podnet

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// stateListen is how the kernel writes TCP_LISTEN in /proc/net/tcp.
const stateListen = "0A"

// ListeningTCP lists the ports on which something in the namespace accepts TCP connections from outside of it: what
// listens on a loopback address only is left out.
func (n *Namespace) ListeningTCP() ([]uint16, error) {
	var ports []uint16
	err := n.inside(func() error {
		for _, table := range []string{"tcp", "tcp6"} {
			content, err := os.ReadFile("/proc/thread-self/net/" + table)
			if err != nil {
				return fmt.Errorf("read table of sockets: %w", err)
			}
			found, err := listening(string(content))
			if err != nil {
				return err
			}
			ports = append(ports, found...)
		}
		return nil
	})
	slices.Sort(ports)
	return slices.Compact(ports), err
}

// listening reads /proc/net/tcp or tcp6: a head line, then "sl local_address rem_address st ..." per socket.
func listening(table string) ([]uint16, error) {
	var ports []uint16
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[3] != stateListen {
			continue
		}
		local, err := parseSocket(fields[1])
		if err != nil {
			return nil, err
		}
		if !local.Addr().IsLoopback() {
			ports = append(ports, local.Port())
		}
	}
	return ports, nil
}

// parseSocket reads "0100007F:1F90": the address as words in the machine's order, the port as a number.
func parseSocket(text string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("parse socket address %q: %w", text, err)
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	addr, ok := netip.AddrFromSlice(raw)
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil || !ok {
		return netip.AddrPort{}, fmt.Errorf("parse socket address %q", text)
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(number)), nil
}
