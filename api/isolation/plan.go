// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package isolation

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// PlanVariable is the environment variable in which a probe finds its plan. The plan is no argument, because arguments
// of processes are visible on the whole node.
const PlanVariable = "CHATTENANT_ISOLATION_PLAN"

// Version is that of Plan and Verdict. A probe refuses a plan of another version, the operator such a verdict.
const Version = 1

// MaxTargets bounds a plan, so that a probe tries everything at once and its verdict fits into a termination message.
const MaxTargets = 160

// Want is what must become of a try.
type Want string

// What must become of a try.
const (
	// WantClosed: the target was ready when the plan was made, so a closed door is one that was shut.
	WantClosed Want = "closed"
	// WantClosedUnseen: nobody knows whether anything listens there. If it answers, that is a hole; if not, no proof.
	WantClosedUnseen Want = "closedUnseen"
	// WantOpen: without it the role cannot do its work.
	WantOpen Want = "open"
)

// Network is how a target is tried.
type Network string

// How a target is tried.
const (
	NetworkTCP Network = "tcp"
	// NetworkDNS is a real query over UDP.
	NetworkDNS Network = "dns"
)

// Target is one thing that a probe tries. It names no tenant: the plan lies in another's namespace.
type Target struct {
	Network Network        `json:"n"`
	Address netip.AddrPort `json:"a"`
	Want    Want           `json:"w"`
}

// Plan is what a probe tries, from one role's place.
type Plan struct {
	Version int      `json:"version"`
	Role    End      `json:"role"`
	Targets []Target `json:"targets"`
}

// Encode writes the plan in its one form, which Digest is of.
func (p Plan) Encode() ([]byte, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode plan: %w", err)
	}
	return data, nil
}

// Digest names an encoded plan: SHA-256 in hexadecimal.
func Digest(encoded []byte) string {
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:])
}

// DecodePlan reads a plan strictly: a misspelt field must not leave something untried.
func DecodePlan(data []byte) (Plan, error) {
	var plan Plan
	if err := decodeStrictly(data, &plan); err != nil {
		return Plan{}, fmt.Errorf("read plan: %w", err)
	}
	if plan.Version != Version {
		return Plan{}, fmt.Errorf("read plan: version %d, want %d", plan.Version, Version)
	}
	if len(plan.Targets) == 0 || len(plan.Targets) > MaxTargets {
		return Plan{}, fmt.Errorf("read plan: %d targets, want 1 to %d", len(plan.Targets), MaxTargets)
	}
	for i, t := range plan.Targets {
		if err := t.check(); err != nil {
			return Plan{}, fmt.Errorf("read plan: target %d: %w", i, err)
		}
	}
	return plan, nil
}

func (t Target) check() error {
	switch t.Want {
	case WantClosed, WantClosedUnseen, WantOpen:
	default:
		return fmt.Errorf("nobody wants it %q", t.Want)
	}
	if t.Network != NetworkTCP && t.Network != NetworkDNS {
		return fmt.Errorf("no network is called %q", t.Network)
	}
	if !t.Address.IsValid() || t.Address.Port() == 0 {
		return fmt.Errorf("no address: %q", t.Address)
	}
	return nil
}

func decodeStrictly(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows it")
	}
	return nil
}
