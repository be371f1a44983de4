// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"testing"
)

// benchmark is one check of the Multi-Tenancy Benchmarks of Kubernetes' working group for multi-tenancy, asked of
// tenant acme. docs/multi-tenancy-benchmarks.md says of each what is tried and what refuses it.
type benchmark struct {
	// id is the benchmarks' own. Those that were planned and never written have the number of their issue.
	id, title string
	// answer is what refuses, or why something is open, in the words of the report.
	answer string
	check  func(t *testing.T, of *trial)
}

// TestTheMultiTenancyBenchmarksHold asks them of the strongest identities that there are in a tenant's namespace: the
// accounts of its pods, the operator, and somebody who was made its administrator on purpose.
func TestTheMultiTenancyBenchmarksHold(t *testing.T) {
	everybody := newCast(t)
	for _, b := range benchmarks() {
		t.Run(b.id+" "+b.title, func(t *testing.T) {
			of := &trial{cast: everybody, row: record(t, sectionBenchmarks, b.id+": "+b.title)}
			b.check(t, of)
			of.row.says("%s", b.answer)
		})
	}
}

// benchmarks are the 19 that were written and the six that were planned.
func benchmarks() []benchmark {
	return []benchmark{
		{
			"MTB-PL1-CC-CPI-1", "access to cluster resources",
			"RBAC: no account of a tenant has a right outside its namespace", noClusterResources,
		},
		{
			"MTB-PL1-BC-CPI-2", "changes to what keeps tenants apart",
			"policy " + policyObjects + ": the operator alone changes what it manages", nothingManagedIsChanged,
		},
		{"MTB-PL1-BC-CPI-3", "added capabilities", "Pod Security restricted", podsAreRefused(capabilities())},
		{"MTB-PL1-BC-CPI-4", "containers as root", "Pod Security restricted", podsAreRefused(rootUsers())},
		{"MTB-PL1-BC-CPI-5", "privileged containers", "Pod Security restricted", podsAreRefused(privileged())},
		{"MTB-PL1-BC-CPI-6", "privilege escalation", "Pod Security restricted", podsAreRefused(escalating())},
		{
			"MTB-PL1-CC-TI-1", "changes to resource quotas",
			"RBAC; for whoever has the right, policy " + policyObjects, noQuotaIsChanged,
		},
		{
			"MTB-PL1-CC-TI-2", "access to another tenant's resources",
			"RBAC: no identity of a tenant has a right in another's namespace", nothingOfAnotherTenant,
		},
		{
			"MTB-PL1-CC-FNS-1", "quotas of CPU, memory and storage",
			"ResourceQuota and LimitRange from the class", resourcesAreBounded,
		},
		{
			"MTB-PL1-CC-FNS-2", "quotas of numbers of objects",
			"ResourceQuota; where it counts nothing, nobody may make any", objectsAreBounded,
		},
		{"MTB-PL1-BC-HI-1", "host path volumes", "Pod Security restricted", podsAreRefused(hostPaths())},
		{
			"MTB-PL1-BC-HI-2", "NodePort Services",
			"policy " + policyObjects + "; for the operator a quota of none", noNodePorts,
		},
		{"MTB-PL1-BC-HI-3", "the host's network and ports", "Pod Security restricted", podsAreRefused(hostNetworks())},
		{"MTB-PL1-BC-HI-4", "the host's processes", "Pod Security restricted", podsAreRefused(hostProcesses())},
		{"MTB-PL1-BC-HI-5", "the host's IPC", "Pod Security restricted", podsAreRefused(hostIPC())},
		{
			"MTB-PL1-CC-DI-1", "images that others pulled",
			"policy " + policyObjects + ": nobody runs a pod of his own; a tenant's run its class's images", noForeignImages,
		},
		{"MTB-PL2-CC-TI-1", "escalation of roles", "RBAC, and policy " + policyReach, noRoleGrows},
		{
			"MTB-PL2-BC-OPS-3", "self-service: binding a role of one's own",
			"tenants have no identity; an administrator of the namespace may, within his own rights", roleIsMadeAndBound,
		},
		{
			"MTB-PL2-BC-OPS-4", "self-service: network policies",
			"refused on purpose by policy " + policyObjects + ": policies only add; ChatTenants declare",
			networkPoliciesAreDeclared,
		},
		{
			"MTB-1198", "persistent storage by claims only",
			"Pod Security restricted and policy " + policyPods + ": volumes of known kinds only", claimsOnly,
		},
		{
			"MTB-1199", "volumes are reclaimed by deletion",
			"volumes of policy Delete, which no identity of a tenant can change", volumesAreReclaimed,
		},
		{
			"MTB-1200", "reuse of existing volumes",
			"policies " + volumesPolicy + " and " + bindingPolicy + ": claims name no volume and no source", noVolumeIsReused,
		},
		{
			"MTB-1201", "network between tenants",
			"NetworkPolicies: default-deny both ways", noNetworkBetweenTenants,
		},
		{
			"MTB-1202", "self-service: roles",
			"tenants have no identity; an administrator of the namespace may, within his own rights", rolesAreMade,
		},
		{
			"MTB-1203", "self-service: role bindings",
			"tenants have no identity; an administrator of the namespace may, within his own rights", bindingsAreMade,
		},
	}
}
