// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package volumes

import (
	"context"
	"net/url"
	"path"

	"github.com/chattenant/chattenant/hack/localcluster/internal/topology"
)

// poolLabel marks the volumes of the pools; its value is the node.
const poolLabel = "chattenant.local/pool"

// StorageClass is the name of the class whose volumes lie in a region.
func StorageClass(region string) string { return "local-" + region }

// list returns every volume of the pools by node.
func (k *Keeper) list(ctx context.Context) (map[string][]Volume, error) {
	var answer struct {
		Items []struct {
			Metadata struct {
				Name              string
				Labels            map[string]string
				DeletionTimestamp string
			}
			Spec   struct{ PersistentVolumeReclaimPolicy string }
			Status struct{ Phase string }
		}
	}
	query := url.Values{"labelSelector": {poolLabel}}
	if err := k.client.Get(ctx, collection+"?"+query.Encode(), &answer); err != nil {
		return nil, err
	}
	pools := map[string][]Volume{}
	for _, item := range answer.Items {
		node := item.Metadata.Labels[poolLabel]
		pools[node] = append(pools[node], Volume{
			Name: item.Metadata.Name, Phase: item.Status.Phase,
			Retained: item.Spec.PersistentVolumeReclaimPolicy != "Delete",
			Deleting: item.Metadata.DeletionTimestamp != "",
		})
	}
	return pools, nil
}

// manifest is a PersistentVolume on one node. The annotation tells Kubernetes that somebody else, this program, deletes
// it: without one it looks for a plugin, finds none and gives the volume up as failed.
func manifest(node topology.Node, name string) map[string]any {
	return map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolume",
		"metadata": map[string]any{
			"name":        name,
			"labels":      map[string]string{poolLabel: node.Name, topology.RegionLabel: node.Region},
			"annotations": map[string]string{"pv.kubernetes.io/provisioned-by": "chattenant.local/volumes"},
		},
		"spec": map[string]any{
			"capacity":                      map[string]string{"storage": Capacity},
			"accessModes":                   []string{"ReadWriteOnce"},
			"persistentVolumeReclaimPolicy": "Delete",
			"storageClassName":              StorageClass(node.Region),
			"local":                         map[string]string{"path": path.Join(Dir, name)},
			"nodeAffinity": map[string]any{"required": map[string]any{"nodeSelectorTerms": []any{
				map[string]any{"matchExpressions": []any{
					in(topology.RegionLabel, node.Region), in("kubernetes.io/hostname", node.Name),
				}},
			}}},
		},
	}
}

func in(key, value string) map[string]any {
	return map[string]any{"key": key, "operator": "In", "values": []string{value}}
}
