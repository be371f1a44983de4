// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// serveBeside serves until ctx has ended and connections are drained. Health and news outlive that drain, and end it
// early if one of them fails.
func serveBeside(
	ctx context.Context, health func(context.Context) error, news func(context.Context), serve func(context.Context) error,
) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, background := errgroup.WithContext(background)
	serving, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(background, cancel)()
	group.Go(func() error { return health(background) })
	group.Go(func() error {
		news(background)
		return nil
	})
	group.Go(func() error {
		defer stop()
		return serve(serving)
	})
	return group.Wait()
}
