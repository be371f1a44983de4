// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/gateway/socket"
)

// DialFunc connects to the chat server of a tenant.
type DialFunc func(ctx context.Context, tenant string) (*net.TCPConn, error)

// ClusterDial reaches a tenant through its Service, resolved by DNS under the cluster's domain. The name is absolute,
// so that no search path of the pod can lead elsewhere. A Service that is not there yet is tried again; all together
// takes at most timeout.
func ClusterDial(clusterDomain string, timeout time.Duration) DialFunc {
	dialer := &net.Dialer{KeepAliveConfig: socket.KeepAlive()}
	suffix := "." + strings.Trim(clusterDomain, ".") + "."
	port := strconv.Itoa(naming.ChatServerPort)
	return func(ctx context.Context, tenant string) (*net.TCPConn, error) {
		host := naming.ServiceHost(tenant, naming.ChatServer) + suffix
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		conn, err := redial(ctx, func(ctx context.Context) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
		})
		if err != nil {
			return nil, fmt.Errorf("dial chat server: %w", err)
		}
		tcp, ok := conn.(*net.TCPConn)
		if !ok {
			return nil, errors.Join(fmt.Errorf("dial chat server: got a %T", conn), conn.Close())
		}
		return tcp, nil
	}
}

// redial dials until the answer is final, or until the context ends: then it returns the last answer.
func redial(ctx context.Context, dial func(context.Context) (net.Conn, error)) (net.Conn, error) {
	backoff := wait.Backoff{Duration: 20 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 5}
	var answer error
	for {
		conn, err := dial(ctx)
		if err != nil && answer != nil && ctx.Err() != nil {
			// The time ended during this try, which learnt nothing else.
			return nil, answer
		}
		if err == nil || !mayPass(err) {
			return conn, err
		}
		answer = err
		select {
		case <-ctx.Done():
			return nil, answer
		case <-time.After(backoff.Step()):
		}
	}
}

// mayPass says whether a Service only seems to be missing. The cluster's DNS remembers for some seconds that a name did
// not exist, and a node's proxy refuses connections until it has heard of a ready pod.
func mayPass(err error) bool {
	var dns *net.DNSError
	return errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &dns) && dns.IsNotFound
}

// preface is what a chat server gets before anything else: whose connection this is, then the bytes already read. One
// slice, so that both leave in one segment.
func preface(client *net.TCPConn, raw []byte) ([]byte, error) {
	const version = 2
	header, err := proxyproto.HeaderProxyFromAddrs(version, client.RemoteAddr(), client.LocalAddr()).Format()
	if err != nil {
		return nil, fmt.Errorf("format PROXY header: %w", err)
	}
	return append(header, raw...), nil
}
