// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package volumes keeps a pool of local PersistentVolumes on every node: it refills what claims take, and wipes and
// replaces what they give back, as a provisioner of local disks does in production.
package volumes

const (
	// PoolSize is how many volumes of a node are ready to be claimed.
	PoolSize = 20
	// Capacity is what a volume claims to hold. Nothing enforces it.
	Capacity = "20Gi"
	// Dir is where a node has its volumes' folders.
	Dir = "/var/lib/volumes"
)

// Volume is what there is to know of a PersistentVolume to decide about it.
type Volume struct {
	// Name is the volume's and its folder's.
	Name string
	// Phase is the API's: Available, Bound, Released...
	Phase string
	// Retained says that whoever owns the data wants it kept after its claim is gone.
	Retained bool
	// Deleting says that its deletion has begun.
	Deleting bool
}

// Plan is what to do on one node.
type Plan struct {
	// Wipe names volumes whose data and object have to go.
	Wipe []string
	// Remove names folders that belong to no volume.
	Remove []string
	// Create is how many fresh volumes are missing.
	Create int
}

// Decide compares a node's volumes and folders with what should be.
func Decide(volumes []Volume, folders []string) Plan {
	plan := Plan{Create: PoolSize}
	known := map[string]bool{}
	for _, volume := range volumes {
		known[volume.Name] = true
		switch {
		case volume.Deleting:
		case volume.Phase == "Available" || volume.Phase == "Pending":
			plan.Create--
		case volume.Phase == "Released" && !volume.Retained:
			plan.Wipe = append(plan.Wipe, volume.Name)
		}
	}
	for _, folder := range folders {
		if !known[folder] {
			plan.Remove = append(plan.Remove, folder)
		}
	}
	plan.Create = max(plan.Create, 0)
	return plan
}
