// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/types"
)

// Namespace is an open network namespace. It stays what it was when it was opened: after its pod has gone, it leads
// nowhere.
type Namespace struct {
	file *os.File
}

// OfPod opens the network namespace of a running pod.
func OfPod(uid types.UID) (*Namespace, error) {
	pid, err := podProcess(uid)
	if err != nil {
		return nil, err
	}
	return open(pid)
}

// OfNode opens the network namespace of a node.
func OfNode(name string) (*Namespace, error) {
	pid, err := nodeProcess(name)
	if err != nil {
		return nil, err
	}
	return open(pid)
}

// OfOutside opens the network namespace of the local cluster's outside.
func OfOutside() (*Namespace, error) {
	pid, err := outsideProcess()
	if err != nil {
		return nil, err
	}
	return open(pid)
}

func open(pid int) (*Namespace, error) {
	file, err := os.Open(filepath.Join(procDir(pid), "ns", "net"))
	if err != nil {
		return nil, fmt.Errorf("open network namespace: %w", err)
	}
	return &Namespace{file: file}, nil
}

// Close lets go of the namespace. Connections made in it stay open.
func (n *Namespace) Close() error { return n.file.Close() }

// DialContext connects from inside the namespace. The address must hold a literal IP: name servers belong to the
// caller's namespace, not to this one. It fits wherever a dialing function is asked for.
func (n *Namespace) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if _, err := netip.ParseAddrPort(address); err != nil {
		return nil, fmt.Errorf("dial %s: want an IP address and a port: %w", address, err)
	}
	var conn net.Conn
	err := n.inside(func() error {
		var err error
		conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Start starts a command inside the namespace. Everything else about the command is as outside.
func (n *Namespace) Start(command *exec.Cmd) error {
	// A child inherits the namespace of the thread that forks it.
	return n.inside(command.Start)
}

// Addresses lists the unicast addresses of the namespace's interfaces except loopback. Link-local ones of IPv6 carry
// their interface as zone.
func (n *Namespace) Addresses() ([]netip.Addr, error) {
	var found []netip.Addr
	err := n.inside(func() error {
		interfaces, err := net.Interfaces()
		if err != nil {
			return fmt.Errorf("list interfaces: %w", err)
		}
		for _, i := range interfaces {
			if i.Flags&net.FlagLoopback != 0 || i.Flags&net.FlagUp == 0 {
				continue
			}
			addresses, err := i.Addrs()
			if err != nil {
				return fmt.Errorf("list addresses of %s: %w", i.Name, err)
			}
			found = append(found, unicast(i.Name, addresses)...)
		}
		return nil
	})
	return found, err
}

func unicast(device string, addresses []net.Addr) []netip.Addr {
	var found []netip.Addr
	for _, address := range addresses {
		prefix, err := netip.ParsePrefix(address.String())
		if err != nil {
			continue
		}
		addr := prefix.Addr()
		if addr.Is6() && addr.IsLinkLocalUnicast() {
			addr = addr.WithZone(device)
		}
		found = append(found, addr)
	}
	return found
}

// inside runs work on a thread of its own that has entered the namespace. The goroutine ends without unlocking its
// thread, which makes the runtime end the thread too: no other goroutine ever runs in the namespace by accident.
func (n *Namespace) inside(work func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			result <- errors.Join(errors.New("enter network namespace: it takes root"), err)
			return
		}
		result <- work()
	}()
	return <-result
}
