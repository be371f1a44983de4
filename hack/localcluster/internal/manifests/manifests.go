// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package manifests holds what the cluster runs and offers from its first minute on.
package manifests

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
	"github.com/chattenant/chattenant/hack/localcluster/internal/volumes"
)

//go:embed files/access.yaml
var access string

//go:embed files/coredns.yaml
var coredns string

//go:embed files/cert-manager.yaml
var certManager string

// Images are the references of the add-ons' images.
type Images struct{ CoreDNS, CertManager string }

// Render returns all manifests in one stream; crds are the add-ons' CustomResourceDefinitions.
func Render(images Images, crds string) (string, error) {
	machines, err := json.MarshalIndent(list(append(nodes(), storageClasses()...)), "", "  ")
	if err != nil {
		return "", fmt.Errorf("encoding nodes and storage classes: %w", err)
	}
	fill := strings.NewReplacer(
		"@OUTSIDE_DNS@", topology.OutsideDNS, "@OUTSIDE_ANSWERS@", topology.OutsideAnswers,
		"@DNS_SERVICE@", topology.DNSServiceAddress,
		"@COREDNS_DIGEST@", digest(coredns), "@COREDNS_IMAGE@", images.CoreDNS, "@CERT_MANAGER_IMAGE@", images.CertManager,
	)
	return strings.Join([]string{string(machines), access, crds, fill.Replace(coredns), fill.Replace(certManager)},
		"\n---\n"), nil
}

// digest changes with a manifest, so that Pods which read their configuration only once are replaced.
func digest(manifest string) string {
	sum := sha256.Sum256([]byte(manifest))
	return hex.EncodeToString(sum[:8])
}

func list(items []any) map[string]any {
	return map[string]any{"apiVersion": "v1", "kind": "List", "items": items}
}

// nodes are the administrator's word about each node, given before its kubelet can register: the region that it may
// not change, and the range of addresses that the routes expect.
func nodes() []any {
	var items []any
	for _, node := range topology.Nodes() {
		items = append(items, map[string]any{
			"apiVersion": "v1", "kind": "Node",
			"metadata": map[string]any{
				"name": node.Name, "labels": map[string]string{topology.RegionLabel: node.Region},
			},
			"spec": map[string]any{"podCIDR": node.PodCIDR(), "podCIDRs": []string{node.PodCIDR()}},
		})
	}
	return items
}

// storageClasses offer each region's disks. A volume is chosen once its Pod has a node.
func storageClasses() []any {
	var items []any
	for _, node := range topology.Nodes() {
		items = append(items, map[string]any{
			"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
			"metadata":          map[string]any{"name": volumes.StorageClass(node.Region)},
			"provisioner":       "kubernetes.io/no-provisioner",
			"volumeBindingMode": "WaitForFirstConsumer", "reclaimPolicy": "Delete",
		})
	}
	return items
}
