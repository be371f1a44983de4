// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package loopback

import (
	"errors"
	"os"
	"syscall"
)

var errFamily = errors.New("bound to another family")

// keep binds a socket that never listens. Linux lets a listener in beside it, since both allow reuse, and picks the
// port for nobody.
func keep() (int, *os.File, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, os.NewSyscallError("socket", err)
	}
	port, err := bind(fd)
	if err != nil {
		return 0, nil, errors.Join(err, syscall.Close(fd))
	}
	return port, os.NewFile(uintptr(fd), "kept port"), nil
}

func bind(fd int) (int, error) {
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, os.NewSyscallError("bind", err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, os.NewSyscallError("getsockname", err)
	}
	address, ok := name.(*syscall.SockaddrInet4)
	if !ok {
		return 0, errFamily
	}
	return address.Port, nil
}
