// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"strings"
	"testing"

	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

func TestRenderFillsInEveryPlaceholder(t *testing.T) {
	const coredns, certManager = "local/coredns@sha256:a", "local/cert-manager@sha256:b"
	stream, err := Render(Images{CoreDNS: coredns, CertManager: certManager}, "kind: CRD")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{coredns, certManager, "kind: CRD", topology.OutsideDNS} {
		if !strings.Contains(stream, want) {
			t.Errorf("%q is missing", want)
		}
	}
	for line := range strings.Lines(stream) {
		if strings.Count(line, "@") > 1 {
			t.Errorf("not filled in: %s", line)
		}
	}
}

func TestRenderTellsEveryNodesRegionAndOffersItsDisks(t *testing.T) {
	stream, err := Render(Images{}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range topology.Nodes() {
		for _, want := range []string{
			`"name": "` + node.Name + `"`, `"` + topology.RegionLabel + `": "` + node.Region + `"`,
			`"name": "local-` + node.Region + `"`, node.PodCIDR(),
		} {
			if !strings.Contains(stream, want) {
				t.Errorf("%s is missing", want)
			}
		}
	}
}
