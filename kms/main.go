// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Command kms wraps and unwraps a tenant's keysets with a key of a cloud's key management service. The chat server runs
// it for each call; package api/kmshelper is what the two say to each other.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	// For images without root certificates.
	_ "golang.org/x/crypto/x509roots/fallback"

	"github.com/chattenant/chattenant/api/kmshelper"
	"github.com/chattenant/chattenant/kms/internal/failure"
)

// reserve is what is left of the time limit for beginning, and for saying who did not answer: whoever is stopped says
// nothing, and on a busy machine both take their time.
const reserve = 3 * time.Second

func main() { os.Exit(run()) } //nolint:forbidigo // The exit status is the answer's kind.

func run() int {
	modest()
	// The SDKs would take credentials, proxies and other services' addresses from it.
	os.Clearenv()
	ctx, cancel := context.WithTimeout(context.Background(), kmshelper.TimeLimit-reserve)
	defer cancel()
	err := serve(ctx, os.Stdin, os.Stdout, way())
	if err == nil {
		return 0
	}
	var f *failure.Error
	if !errors.As(err, &f) {
		// Nobody knows what such an error may quote.
		f = failure.Temporary("failed without a known cause")
	}
	fmt.Fprintln(os.Stderr, f)
	return f.Status
}
