// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"slices"
	"testing"
)

func TestEveryRuleOfAChatTenantClassHolds(t *testing.T) {
	testRules(t, "chattenantclass", chatTenantClassRules)
}

func TestEveryRuleOfADataRegionHolds(t *testing.T) { testRules(t, "dataregion", dataRegionRules) }

func TestEveryRuleOfASubProcessorHolds(t *testing.T) { testRules(t, "subprocessor", subProcessorRules) }

const at63 = "metadata.name must have at most 63 characters"

var chatTenantClassRules = slices.Concat([]rule{
	{name: "a name of 64 characters", message: at63, offered: []change{set("metadata.name", a(64))}},
	{name: "no image for the engine", message: "images.postgres is required for the Standalone engine",
		offered: []change{set("spec.images.postgres", absent)}},
	{name: "another engine", at: "spec.database.engine", message: "engine cannot change",
		stored: asIs, offered: []change{set("spec.database.engine", "External")}},
	{name: "another database size", at: "spec.database.storageSize", message: "storageSize cannot change",
		stored: asIs, offered: []change{set("spec.database.storageSize", "2Gi")}},
	{name: "a database without room", at: "spec.database.storageSize", message: tooSmall,
		offered: []change{set("spec.database.storageSize", "1Mi")}},

	{name: "not yet: CloudNativePG", at: "spec.database", message: "this release runs the Standalone engine only",
		offered: []change{set("spec.database.engine", "CloudNativePG")}},
	{name: "not yet: an external database", at: "spec.database", message: "this release runs the Standalone engine only",
		offered: []change{set("spec.database.engine", "External")}},
	{name: "not yet: waves", at: "spec", message: "this release rolls image changes out to all tenants of a class at once",
		offered: []change{set("spec.rollout.maxConcurrent", 10)}},
	{name: "not yet: the Gateway API", at: "spec.exposure",
		message: "this release reaches tenants through the ingress gateway only",
		offered: []change{set("spec.exposure.mode", "GatewayAPI")}},
	{name: "not yet: load balancers", at: "spec.exposure",
		message: "this release reaches tenants through the ingress gateway only",
		offered: []change{set("spec.exposure.mode", "LoadBalancer")}},
	{name: "not yet: no exposure", at: "spec.exposure",
		message: "this release reaches tenants through the ingress gateway only",
		offered: []change{set("spec.exposure.mode", "None")}},
}, resourceRules("spec.database.resources"), resourceRules("spec.chatServer.resources"))

func resourceRules(at string) []rule {
	return []rule{
		{name: "other resources asked for at " + at, at: at, message: "only cpu and memory can be set",
			offered: []change{set(at+".requests", map[string]string{"nvidia.com/gpu": "1"})}},
		{name: "other resources limited at " + at, at: at, message: "only cpu and memory can be set",
			offered: []change{set(at+".limits", map[string]string{"ephemeral-storage": "1Gi"})}},
		{name: "nothing asked for at " + at, at: at, message: "requests and limits must be greater than 0",
			offered: []change{set(at+".requests", map[string]string{"cpu": "0"})}},
		{name: "less than nothing allowed at " + at, at: at, message: "requests and limits must be greater than 0",
			offered: []change{set(at+".limits", map[string]string{"memory": "-1Gi"})}},
		{name: "more asked for than allowed at " + at, at: at, message: "a request must not be greater than its limit",
			offered: []change{set(at, map[string]any{
				"requests": map[string]string{"memory": "1025Mi"}, "limits": map[string]string{"memory": "1Gi"},
			})}},
	}
}

const notALabel = "metadata.name must be a DNS label: it becomes a label of the tenants' namespaces"

var dataRegionRules = []rule{
	{name: "a name with a dot", message: notALabel, offered: []change{set("metadata.name", "eu.central")}},
	{name: "a name of 64 characters", message: notALabel, offered: []change{set("metadata.name", a(64))}},
	{name: "a union for a country", at: "spec.jurisdiction", message: "a region lies in one country",
		offered: []change{set("spec.jurisdiction", "EU")}},
	{name: "an economic area for a country", at: "spec.jurisdiction", message: "a region lies in one country",
		offered: []change{set("spec.jurisdiction", "EEA")}},
	{name: "another country", at: "spec.jurisdiction", message: "jurisdiction cannot change",
		stored: asIs, offered: []change{set("spec.jurisdiction", "FR")}},
	{name: "a key that is no label", at: "spec.nodeSelector", message: "keys must be label keys",
		offered: []change{set("spec.nodeSelector", map[string]string{"not a label": "x"})}},
	{name: "other nodes", at: "spec.nodeSelector", message: "nodeSelector cannot change",
		stored: asIs, offered: []change{set("spec.nodeSelector", map[string]string{"region": "eu"})}},
	{name: "other storage", at: "spec.storageClassName", message: "storageClassName cannot change",
		stored: asIs, offered: []change{set("spec.storageClassName", "other")}},
	{name: "not yet: a backup store", at: "spec", message: "this release takes no backups",
		offered: []change{set("spec.backupStore.url", "s3://backups")}},
}

var subProcessorRules = []rule{
	{name: "a name of 64 characters", message: at63, offered: []change{set("metadata.name", a(64))}},
	{name: "its own parent", message: "parent must name another SubProcessor", offered: []change{set("spec.parent",
		"valid")}},
	{name: "a start before the notice", at: "spec", message: "effectiveFrom must not be before noticedAt",
		offered: []change{set("spec.effectiveFrom", "2026-09-30")}},
	{name: "an earlier start", at: "spec", message: "effectiveFrom can only move later",
		stored: asIs, offered: []change{set("spec.effectiveFrom", "2026-10-31")}},
	told("legalName", "Other GmbH"),
	told("purpose", "Something else"),
	told("dataCategories", []string{"AccountEmail", "Transcript"}),
	told("locations", []string{"DE", "FR"}),
	told("transfer", map[string]string{"ground": "Adequacy"}),
	told("noticedAt", "2026-09-30"),
	told("parent", "object-store-eu"),
	told("endpoints", []any{map[string]any{"host": "smtp.mail.example", "port": 465}}),
	{name: "another parent", at: "spec", message: "parent cannot change",
		stored: []change{set("spec.parent", "one")}, offered: []change{set("spec.parent", "other")}},
	{name: "a parent taken back", at: "spec", message: "parent cannot change",
		stored: []change{set("spec.parent", "one")}, offered: []change{set("spec.parent", absent)}},
	{name: "a further endpoint", at: "spec", message: "endpoints cannot change",
		stored: []change{set("spec.endpoints", ways(465))}, offered: []change{set("spec.endpoints", ways(465, 587))}},
	{name: "an endpoint less", at: "spec", message: "endpoints cannot change",
		stored: []change{set("spec.endpoints", ways(465, 587))}, offered: []change{set("spec.endpoints", ways(465))}},
}

// told is what customers were told of a recipient: it cannot be another afterwards.
func told(field string, value any) rule {
	return rule{
		name: "another " + field, at: "spec", message: field + " cannot change: customers were told",
		stored: asIs, offered: []change{set("spec."+field, value)},
	}
}

// ways are endpoints of one host.
func ways(ports ...int) []any {
	var list []any
	for _, port := range ports {
		list = append(list, map[string]any{"host": "smtp.mail.example", "port": port})
	}
	return list
}

func TestAProperChatTenantClassIsAccepted(t *testing.T) {
	testAccepted(t, "chattenantclass", []accepted{
		{name: "with nothing optional"},
		{name: "with a name of 63 characters", offered: []change{set("metadata.name", a(63))}},
		{name: "with everything that this release can do", offered: []change{
			set("spec.database.resources.requests", map[string]any{"cpu": 1, "memory": "1Gi"}),
			set("spec.database.resources.limits", map[string]any{"cpu": 1, "memory": "1Gi"}),
			set("spec.chatServer.replicas", 10),
			set("spec.chatServer.resources.requests", map[string]string{"cpu": "10m"}),
			set("spec.chatServer.resources.limits", map[string]string{"memory": "1Gi"}),
			set("spec.isolation", map[string]string{"runtimeClassName": "gvisor", "dedicatedNodes": "Required"}),
			set("spec.exposure.mode", "IngressGateway"),
		}},
		{name: "when images, sizes and issuer change", stored: asIs, offered: []change{
			set("spec.images", map[string]string{"chatServer": "chatserver:2", "postgres": "postgres:2",
				"egressGateway": "gateway:2"}),
			set("spec.chatServer.replicas", 3),
			set("spec.issuerRef.name", "other"),
		}},
	})
}

func TestAProperDataRegionIsAccepted(t *testing.T) {
	testAccepted(t, "dataregion", []accepted{
		{name: "with nothing optional"},
		{name: "with several labels", offered: []change{
			set("spec.nodeSelector", map[string]string{"topology.kubernetes.io/region": "eu", "zone": "a"}),
		}},
		{name: "when its display name changes", stored: asIs, offered: []change{set("spec.displayName",
			"Frankfurt am Main")}},
	})
}

func TestAProperSubProcessorIsAccepted(t *testing.T) {
	testAccepted(t, "subprocessor", []accepted{
		{name: "with nothing optional"},
		{name: "with everything", offered: []change{
			set("spec.parent", "object-store-eu"),
			set("spec.endpoints", []any{
				map[string]any{"host": "smtp.mail.example", "port": 465}, map[string]any{"host": "smtp.mail.example", "port": 587},
			}),
			set("spec.agreementURL", "https://mail.example/dpa"),
		}},
		{name: "when its start moves later, and how to reach its people changes", stored: asIs, offered: []change{
			set("spec.effectiveFrom", "2027-01-01"), set("spec.address", "Elsewhere"), set("spec.contact", "new@mail.example"),
			set("spec.agreementURL", "https://mail.example/new"),
		}},
		{name: "when its endpoints are written in another order", stored: []change{set("spec.endpoints", ways(465, 587))},
			offered: []change{set("spec.endpoints", ways(587, 465))}},
		{name: "when notice and start are the same day", offered: []change{set("spec.effectiveFrom", "2026-10-01")}},
	})
}
