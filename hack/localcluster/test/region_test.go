//go:build cluster

// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
	"github.com/chattenant/chattenant/hack/localcluster/internal/volumes"
)

func TestANodeCarriesItsRegionAndItsKubeletCannotChangeIt(t *testing.T) {
	for _, node := range topology.Nodes() {
		path := "jsonpath={.metadata.labels.node-restriction\\.kubernetes\\.io/region}"
		if got := mustKubectl(t, "get", "node", node.Name, "--output", path); got != node.Region {
			t.Errorf("%s is labelled %q, want %q", node.Name, got, node.Region)
		}
		_, err := kubectl(t.Context(), "", "--as", "system:node:"+node.Name, "--as-group", "system:nodes",
			"label", "--overwrite", "node", node.Name, topology.RegionLabel+"=elsewhere")
		if err == nil || !strings.Contains(err.Error(), "is not allowed to modify labels") {
			t.Errorf("the kubelet of %s moves it to another region: %v", node.Name, err)
		}
	}
}

func claim(namespace, region string) map[string]any {
	return map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim",
		"metadata": map[string]any{"name": "data", "namespace": namespace},
		"spec": map[string]any{
			"accessModes": []string{"ReadWriteOnce"}, "storageClassName": volumes.StorageClass(region),
			"resources": map[string]any{"requests": map[string]string{"storage": "10Gi"}},
		},
	}
}

func TestAVolumeIsOnTheNodeOfItsRegionAndIsWipedWhenItsClaimGoes(t *testing.T) {
	for _, node := range topology.Nodes() {
		t.Run(node.Region, func(t *testing.T) {
			ns := namespace(t, "lc-volume-"+node.Name)
			use := map[string]any{"persistentVolumeClaim": map[string]string{"claimName": "data"}}
			apply(t, claim(ns, node.Region), pod(t, ns, "writer", node.Region, "echo secret > /data/file; sleep infinity", use))
			awaitReady(t, ns, "writer")
			volume := mustKubectl(t, "get", "pvc", "--namespace", ns, "data", "--output", "jsonpath={.spec.volumeName}")
			file := filepath.Join(layout.Volumes(node.Name), volume, "file")
			eventually(t, patience, func() error { _, err := os.Stat(file); return err })
			mustKubectl(t, "delete", "namespace", ns, "--wait")
			eventually(t, patience, func() error { return gone(t.Context(), node, volume) })
		})
	}
}

// gone says what is left of a volume and whether its node offers a whole pool again.
func gone(ctx context.Context, node topology.Node, volume string) error {
	if _, err := os.Stat(filepath.Join(layout.Volumes(node.Name), volume)); err == nil {
		return errors.New("the volume's folder is still there")
	}
	list, err := kubectl(ctx, "", "get", "pv", "--selector", "chattenant.local/pool="+node.Name, "--output",
		"jsonpath={range .items[*]}{.metadata.name} {.status.phase}{\"\\n\"}{end}")
	if err != nil {
		return err
	}
	if strings.Contains(list, volume+" ") {
		return fmt.Errorf("volume %s is still there", volume)
	}
	if available := strings.Count(list, " Available\n"); available < volumes.PoolSize {
		return fmt.Errorf("only %d volumes are offered", available)
	}
	return nil
}

func TestAVolumeThatIsToBeRetainedIsKept(t *testing.T) {
	node := topology.Nodes()[0]
	ns := namespace(t, "lc-retain")
	use := map[string]any{"persistentVolumeClaim": map[string]string{"claimName": "data"}}
	apply(t, claim(ns, node.Region), pod(t, ns, "writer", node.Region, "echo kept > /data/file; sleep infinity", use))
	awaitReady(t, ns, "writer")
	volume := mustKubectl(t, "get", "pvc", "--namespace", ns, "data", "--output", "jsonpath={.spec.volumeName}")
	file := filepath.Join(layout.Volumes(node.Name), volume, "file")
	eventually(t, patience, func() error { _, err := os.Stat(file); return err })
	mustKubectl(t, "patch", "pv", volume, "--patch", `{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}`)
	mustKubectl(t, "delete", "namespace", ns, "--wait")
	mustKubectl(t, "wait", "--for=jsonpath={.status.phase}=Released", "--timeout", patience.String(), "pv/"+volume)
	if content, err := os.ReadFile(file); err != nil || string(content) != "kept\n" {
		t.Errorf("retained data is %q, %v", content, err)
	}
	mustKubectl(t, "delete", "pv", volume, "--wait")
	eventually(t, patience, func() error { return gone(t.Context(), node, volume) })
}
