// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"fmt"

	"github.com/chattenant/chattenant/hack/bench/chat/target/wire"
)

// Host is the name in the endpoint's certificate.
const Host = "acme.localhost"

// Answers tells listener what a frame with a type and a clientId answers to a visitor. Other frames say nothing: a
// visitor's own message coming back is no delivery.
func Answers(listener Listener, frame []byte) {
	switch wire.Field(frame, "type") {
	case "ack":
		tell(listener, frame, listener.Acked)
	case "error":
		tell(listener, frame, func(n int64) { listener.Refused(n, wire.Field(frame, "code")) })
	}
}

// Deliveries tells listener of the events that a reader gets.
func Deliveries(listener Listener, frame []byte) {
	if wire.Field(frame, "type") == "event" {
		tell(listener, frame, listener.Delivered)
	}
}

func tell(listener Listener, frame []byte, say func(int64)) {
	n, err := Number(wire.Field(frame, "clientId"))
	if err != nil {
		listener.Lost(fmt.Errorf("%s %s: %w", wire.Field(frame, "type"), wire.Field(frame, "code"), err))
		return
	}
	say(n)
}
