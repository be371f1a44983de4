// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/chattenant/chattenant/hack/bench/chat/target"
	"github.com/chattenant/chattenant/hack/bench/chat/target/bare"
	"github.com/chattenant/chattenant/hack/bench/chat/target/centrifuge"
	"github.com/chattenant/chattenant/hack/bench/chat/target/centrifugo"
	"github.com/chattenant/chattenant/hack/bench/chat/target/chattenant"
	"github.com/chattenant/chattenant/hack/bench/chat/target/tinode"
)

// product is the one target that cannot do without TLS.
const product = "chattenant"

// local are the targets that run here.
var local = map[string]target.Local{
	product:      chattenant.Target{},
	"replicas":   chattenant.Replicas{},
	"pipe":       bare.Pipe{},
	"naive":      bare.Naive{},
	"centrifuge": centrifuge.Target{},
}

// find returns the target of that name.
func (o *options) find(name string) (target.Target, error) {
	if t, ok := local[name]; ok {
		return t, nil
	}
	switch {
	case name == "centrifugo" && o.centrifugo != "":
		return centrifugo.Target{URL: o.centrifugo, TokenFile: o.centrifugoToken}, nil
	case name == "tinode" && o.tinode != "":
		return tinode.Target{URL: o.tinode, APIKey: o.tinodeKey}, nil
	case name == "centrifugo", name == "tinode":
		return nil, fmt.Errorf("target %s: --%s must say where it is", name, name)
	}
	return nil, fmt.Errorf("there is no target %q", name)
}
