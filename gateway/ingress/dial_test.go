// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/chattenant/chattenant/test/loopback"
)

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func dialTo(address string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", address) }
}

func TestAServiceThatRefusesAtFirstIsReachedOnceItDoesNot(t *testing.T) {
	address := loopback.Address(t)
	refusals := 0
	conn, err := redial(t.Context(), func(ctx context.Context) (net.Conn, error) {
		conn, err := dialTo(address)(ctx)
		if errors.Is(err, syscall.ECONNREFUSED) {
			if refusals++; refusals == 3 {
				listen(t, address)
			}
		}
		return conn, err
	})
	if err != nil {
		t.Fatalf("after %d refusals: %v", refusals, err)
	}
	_ = conn.Close()
}

func TestAServiceThatKeepsRefusingIsGivenUpWithTheRefusal(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := redial(ctx, dialTo(loopback.Address(t)))
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("want the refusal, got %v", err)
	}
}

func TestATryThatTheTimeEndsDoesNotHideTheRefusalBeforeIt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	_, err := redial(ctx, func(ctx context.Context) (net.Conn, error) {
		if tries++; tries == 1 {
			return nil, syscall.ECONNREFUSED
		}
		cancel()
		return nil, ctx.Err()
	})
	if tries != 2 || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after %d tries: %v", tries, err)
	}
}

func TestANameThatDidNotExistIsAskedForAgain(t *testing.T) {
	address := listen(t, "127.0.0.1:0").Addr().String()
	tries := 0
	conn, err := redial(t.Context(), func(ctx context.Context) (net.Conn, error) {
		if tries++; tries < 3 {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}
		}
		return dialTo(address)(ctx)
	})
	if err != nil {
		t.Fatalf("after %d tries: %v", tries, err)
	}
	_ = conn.Close()
}

func TestAFailureThatIsFinalIsNotTriedAgain(t *testing.T) {
	for name, failure := range map[string]error{
		"DNS is away": &net.DNSError{Err: "server misbehaving", IsTemporary: true}, "no route": syscall.EHOSTUNREACH,
	} {
		t.Run(name, func(t *testing.T) {
			tries := 0
			_, err := redial(t.Context(), func(context.Context) (net.Conn, error) {
				tries++
				return nil, failure
			})
			if tries != 1 || !errors.Is(err, failure) {
				t.Errorf("%d tries, %v", tries, err)
			}
		})
	}
}
