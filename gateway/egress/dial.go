// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/gateway/socket"
)

// DialFunc connects to an address.
type DialFunc func(ctx context.Context, addr netip.AddrPort) (*net.TCPConn, error)

// Direct dials by the network of the machine. It resolves nothing.
func Direct() DialFunc {
	dialer := &net.Dialer{KeepAliveConfig: socket.KeepAlive()}
	return func(ctx context.Context, addr netip.AddrPort) (*net.TCPConn, error) {
		return dialer.DialTCP(ctx, "tcp", netip.AddrPort{}, addr)
	}
}

var (
	errNotResolved = errors.New("host not resolved")
	errNotPublic   = errors.New("address not on the public internet")
)

// resolve asks DNS once. All addresses are judged before any is used: an answer that mixes public with other addresses
// comes from nobody who means well.
func (s *Server) resolve(ctx context.Context, host string, timeout time.Duration) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	// The dot makes the name absolute, so that no search path of the pod can lead elsewhere.
	addrs, err := s.Resolver.LookupNetIP(ctx, "ip", host+".")
	if err != nil {
		return nil, errors.Join(errNotResolved, err)
	}
	if len(addrs) == 0 {
		return nil, errNotResolved
	}
	for i, addr := range addrs {
		// The standard library hands out A records in the IPv4-mapped form now and then, and AAAA records that hold it
		// look the same: both are judged as the IPv4 address that would be dialled.
		addrs[i] = addr.Unmap()
		if !egressconfig.Public(addrs[i]) {
			return nil, errNotPublic
		}
	}
	return addrs, nil
}

const (
	// attemptDelay is how long an address has before the next is tried beside it (RFC 8305).
	attemptDelay = 250 * time.Millisecond
	// maxAttempts bounds what one connection may set off, however many addresses DNS gives.
	maxAttempts = 8
)

// connect dials the addresses in their order, the next one when one fails or takes long, and keeps the first that
// answers. All together take at most timeout.
func (s *Server) connect(
	parent context.Context, addrs []netip.Addr, port int32, timeout time.Duration,
) (*net.TCPConn, error) {
	ctx, cancel := context.WithTimeout(parent, timeout)
	defer cancel()
	addrs = addrs[:min(len(addrs), maxAttempts)]
	errs := make([]error, len(addrs))
	won := make(chan *net.TCPConn, 1)
	var attempts sync.WaitGroup
	var before chan struct{}
	for i, addr := range addrs {
		previous, ended := before, make(chan struct{})
		before = ended
		attempts.Go(func() {
			defer close(ended)
			if errs[i] = s.awaitTurn(ctx, i, previous); errs[i] != nil {
				return
			}
			conn, err := s.Dial(ctx, netip.AddrPortFrom(addr, uint16(port&0xffff)))
			if errs[i] = err; err == nil {
				keepFirst(won, conn)
				cancel()
			}
		})
	}
	attempts.Wait()
	select {
	case conn := <-won:
		return conn, nil
	default:
		return nil, fmt.Errorf("dial recipient: %w", errors.Join(errs...))
	}
}

// awaitTurn waits for the attempt before to end, or to have had its time. The first one does not wait.
func (s *Server) awaitTurn(ctx context.Context, i int, previous <-chan struct{}) error {
	if i == 0 {
		return nil
	}
	select {
	case <-previous:
	case <-s.Clock.After(time.Duration(i) * attemptDelay):
	case <-ctx.Done():
	}
	return ctx.Err()
}

func keepFirst(won chan<- *net.TCPConn, conn *net.TCPConn) {
	select {
	case won <- conn:
	default:
		_ = conn.Close()
	}
}
