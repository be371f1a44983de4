// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Command demo brings ChatTenant up as a user would: a cluster, the images, the chart, a class, two regions, two
// tenants; then a visitor and an agent chat through each. Every step looks first whether it is done, so a second run
// is quick.
//
//	go run ./hack/demo [install]
//
// With install it stops before the chat: that is what the end-to-end tests start from.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\n"+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	steps := install
	switch {
	case len(args) == 0:
		steps = append(steps, chat...)
	case len(args) > 1 || args[0] != "install":
		return errors.New("usage: go run ./hack/demo [install]")
	}
	d, err := newDemo()
	if err != nil {
		return err
	}
	if err := d.run(ctx, steps); err != nil {
		return err
	}
	if len(args) > 0 {
		return nil
	}
	return d.report(os.Stdout)
}
