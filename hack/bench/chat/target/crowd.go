// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"context"
	"io"
	"time"
)

// Gatherer is a client that can connect visitors who only listen.
type Gatherer interface {
	// Gather connects so many, who live at the addresses from that of firstRoom on.
	Gather(ctx context.Context, people, firstRoom int) (Crowd, error)
}

// Crowd is connected visitors.
type Crowd interface {
	io.Closer
	// Return cuts every connection at once and lets each visitor come back as the protocol asks for.
	Return(ctx context.Context) (Returned, error)
}

// Returned says how that went.
type Returned struct {
	// Failures counts attempts that did not end with a welcome.
	Failures int
	// Failure is what one of them ended with.
	Failure string
	// Took is how long it was until the last one was back.
	Took time.Duration
}
