// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Command images builds container images without a registry or a container engine, as archives that nodes can load.
//
//	go -C hack/images run . --out DIR [NAME ...]
//
// For each image it writes NAME.tar and NAME.ref, which holds the image's reference by digest.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	out := flag.String("out", "", "folder for the archives")
	programs := flag.String("programs", "", "folder of the local cluster's add-on programs (default: built there)")
	flag.Parse()
	if *out == "" {
		return errors.New("say with --out where the archives are to go")
	}
	names, err := selected(flag.Args())
	if err != nil {
		return err
	}
	b, err := newBuilder(*out, *programs)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.scratch) }()
	for _, name := range names {
		if err := b.make(ctx, name); err != nil {
			return fmt.Errorf("image %s: %w", name, err)
		}
	}
	return nil
}

// selected are the images asked for, or all.
func selected(names []string) ([]string, error) {
	known := slices.Sorted(maps.Keys(recipes()))
	if len(names) == 0 {
		return known, nil
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("there is no image %q, only %s", name, strings.Join(known, ", "))
		}
	}
	return names, nil
}
