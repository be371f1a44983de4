// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"fmt"
	"slices"
	"testing"
)

func TestEveryBoundOfAChatTenantClassHolds(t *testing.T) {
	testBounds(t, "chattenantclass", chatTenantClassBounds)
}

func TestEveryBoundOfADataRegionHolds(t *testing.T) { testBounds(t, "dataregion", dataRegionBounds) }

func TestEveryBoundOfASubProcessorHolds(t *testing.T) {
	testBounds(t, "subprocessor", subProcessorBounds)
}

var chatTenantClassBounds = slices.Concat(
	needed("spec", "spec.issuerRef", "spec.images", "spec.database", "spec.chatServer"),
	needed("spec.issuerRef.kind", "spec.issuerRef.name"),
	oneOf("spec.issuerRef.kind", "ClusterIssuer"),
	text("spec.issuerRef.name", 1, 253),
	matches("spec.issuerRef.name", "eu-1", "other/eu-1"),
	needed("spec.images.chatServer"),
	images("spec.images.chatServer"),
	images("spec.images.postgres"),
	images("spec.images.egressGateway"),
	needed("spec.processor.legalName", "spec.processor.address", "spec.processor.contact"),
	text("spec.processor.legalName", 1, 200),
	text("spec.processor.address", 1, 300),
	text("spec.processor.contact", 3, 254),
	needed("spec.database.engine", "spec.database.storageSize"),
	oneOf("spec.database.engine", "Standalone", "CloudNativePG", "External"),
	quantity("spec.database.storageSize"),
	resources("spec.database.resources"),
	number("spec.chatServer.replicas", 1, 10),
	resources("spec.chatServer.resources"),
	notEmpty("spec.isolation", map[string]string{"runtimeClassName": "gvisor"}),
	text("spec.isolation.runtimeClassName", 1, 253),
	matches("spec.isolation.runtimeClassName", "kata.v3", "Kata"),
	oneOf("spec.isolation.dedicatedNodes", "Disabled", "Required"),
	number("spec.isolation.probeEveryHours", 1, 168),
	needed("spec.exposure.mode"),
	oneOf("spec.exposure.mode", "IngressGateway", "GatewayAPI", "LoadBalancer", "None"),
	needed("spec.rollout.maxConcurrent"),
	number("spec.rollout.maxConcurrent", 1, 1000),
)

var dataRegionBounds = slices.Concat(
	needed("spec", "spec.displayName", "spec.jurisdiction", "spec.nodeSelector", "spec.storageClassName"),
	text("spec.displayName", 1, 100),
	matches("spec.displayName", "São Paulo", "São\tPaulo"),
	[]bound{
		{"spec.jurisdiction", minLength, "DE", "D"},
		{"spec.jurisdiction", maxLength, "US", "EEAA"},
	},
	matches("spec.jurisdiction", "BR", "br"),
	notEmpty("spec.nodeSelector", labels(1)),
	[]bound{{"spec.nodeSelector", maxProperties, labels(8), labels(9)}},
	text("spec.nodeSelector.*", 1, 63),
	matches("spec.nodeSelector.*", "eu-central_1.a", "eu central"),
	text("spec.storageClassName", 1, 253),
	matches("spec.storageClassName", "local.eu-central", "Local"),
	needed("spec.backupStore.url"),
	textLike("spec.backupStore.url", 6, 500, func(n int) string { return padded("s3://", n) }),
	matches("spec.backupStore.url", "file:///backups", "ftp://backups"),
	text("spec.backupStore.subProcessor", 1, 63),
	matches("spec.backupStore.subProcessor", "eu-1", "other/eu-1"),
)

var subProcessorBounds = slices.Concat(
	needed("spec", "spec.legalName", "spec.address", "spec.contact", "spec.purpose", "spec.dataCategories",
		"spec.locations",
		"spec.transfer", "spec.noticedAt", "spec.effectiveFrom"),
	text("spec.legalName", 1, 200),
	text("spec.address", 1, 300),
	text("spec.contact", 3, 254),
	text("spec.purpose", 1, 500),
	categories("spec.dataCategories"),
	jurisdictions("spec.locations"),
	needed("spec.transfer.ground"),
	oneOf("spec.transfer.ground", "None", "Adequacy", "StandardContractualClauses", "BindingCorporateRules"),
	text("spec.parent", 1, 63),
	matches("spec.parent", "eu-1", "other/eu-1"),
	list("spec.endpoints", 32, func(i int) map[string]any {
		return map[string]any{"host": "mail.example",
			"port": i + 1}
	}),
	needed("spec.endpoints[].host", "spec.endpoints[].port"),
	hosts("spec.endpoints[].host"),
	number("spec.endpoints[].port", 1, 65535),
	days("spec.noticedAt"),
	days("spec.effectiveFrom"),
	textLike("spec.agreementURL", 9, 500, https),
	matches("spec.agreementURL", "https://mail.example/dpa", "http://mail.example/dpa"),
)

func images(at string) []bound {
	const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	return slices.Concat(
		text(at, 1, 500),
		matches(at, "registry.example:5000/chat/server:1.0"+digest, "registry.example/chat/server@sha256:0123"),
		matches(at, "chatserver", "chatserver latest"),
	)
}

func resources(at string) []bound {
	three := map[string]string{"cpu": "1", "memory": "1Gi", "pods": "1"}
	two := map[string]string{"cpu": "1", "memory": "1Gi"}
	return slices.Concat(
		notEmpty(at, map[string]any{"requests": two}),
		[]bound{{at + ".requests", maxProperties, two, three}, {at + ".limits", maxProperties, two, three}},
		quantity(at+".requests.*"),
		quantity(at+".limits.*"),
	)
}

func labels(n int) map[string]string {
	found := map[string]string{}
	for i := range n {
		found[fmt.Sprintf("label-%d", i)] = "value"
	}
	return found
}

func categories(at string) []bound {
	all := []string{"AccountEmail", "AccountIdentity", "VisitorContact", "VisitorAddress", "Transcript", "Attachment",
		"Backup",
		"KeyOperation", "Aggregate"}
	category := func(i int) string { return all[i%len(all)] }
	return append(list(at, len(all), category), oneOf(at+"[]", all...)...)
}

// days are real ones, written in one way.
func days(at string) []bound {
	return []bound{
		{at, minLength, "2026-02-28", "2026-2-28"},
		{at, maxLength, "2028-02-29", "2026-02-028"},
		{at, format, "2028-02-29", "2026-02-29"},
	}
}
