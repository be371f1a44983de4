// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Command pause is the first process of a Pod: it holds the Pod's namespaces open and collects the exit statuses of
// orphans.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		for collected() {
		}
	}
}

// collected collects one exit status, if there is one.
func collected() bool {
	pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
	return err == nil && pid > 0
}
