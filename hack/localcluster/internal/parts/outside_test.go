// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package parts

import (
	"strings"
	"testing"

	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

func TestEachServersNameIsAnsweredBeforeAllOthers(t *testing.T) {
	config := outsideCorefile()
	others := strings.Index(config, "template IN A example {")
	for _, server := range topology.OutsideServers() {
		own := strings.Index(config, "template IN A "+server.Name+" {\n        answer \"{{ .Name }} 60 IN A "+server.Address+"\"")
		if own < 0 || own > others {
			t.Errorf("%s is not answered with %s before the rest is:\n%s", server.Name, server.Address, config)
		}
	}
	if strings.Contains(config, "hosts") {
		t.Error("a hosts file is asked only after every template")
	}
}
