// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/chattenant/chattenant/hack/bench/chat/target"
	"github.com/chattenant/chattenant/hack/bench/chat/target/bare"
	"github.com/chattenant/chattenant/hack/bench/chat/target/centrifuge"
	"github.com/chattenant/chattenant/hack/bench/chat/target/chattenant"
)

// known are the targets by name.
var known = map[string]target.Target{
	"chattenant": chattenant.Target{},
	"pipe":       bare.Pipe{},
	"naive":      bare.Naive{},
	"centrifuge": centrifuge.Target{},
}

func find(name string) (target.Target, error) {
	t, ok := known[name]
	if !ok {
		return nil, fmt.Errorf("there is no target %q", name)
	}
	return t, nil
}
