// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/chattenant/chattenant/chatserver/isolation/prober"
)

// parseTargets reads a list strictly: a misspelt field must not turn a check off.
func parseTargets(data []byte) ([]prober.Target, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var targets []prober.Target
	if err := decoder.Decode(&targets); err != nil {
		return nil, fmt.Errorf("parse targets: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("parse targets: something follows the list")
	}
	seen := map[string]bool{}
	for _, target := range targets {
		if err := target.Validate(); err != nil {
			return nil, fmt.Errorf("target %w", err)
		}
		if seen[target.ID] {
			return nil, fmt.Errorf("target %s: id appears twice", target.ID)
		}
		seen[target.ID] = true
	}
	return targets, nil
}
