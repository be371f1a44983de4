// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"strings"
	"testing"
)

func TestTheDefaultConfigurationIsValid(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

func TestEveryUnusableFieldIsReportedAtOnce(t *testing.T) {
	err := Config{
		MaxConnections: -1, MaxConnectionsPerSource: -1, MaxConnectionsPerTenant: -1, DrainDelay: -1, DrainTimeout: -1,
	}.Validate()
	if err == nil {
		t.Fatal("valid")
	}
	for _, want := range []string{
		"handshake timeout", "ClientHello size", "idle timeout", "half-closed timeout", "total connection cap",
		"per source", "per tenant", "drain delay", "drain timeout",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not reported: %v", want, err)
		}
	}
}
