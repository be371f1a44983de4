// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"fmt"
	"slices"
	"testing"
)

func TestEveryBoundOfAChatTenantHolds(t *testing.T) { testBounds(t, "chattenant", chatTenantBounds) }

var chatTenantBounds = slices.Concat(chatTenantSpecBounds, tenantPolicyBounds, keyBounds, chatTenantStatusBounds)

var chatTenantSpecBounds = slices.Concat(
	needed("spec", "spec.className", "spec.displayName", "spec.region", "spec.endpoint", "spec.privacy"),
	text("spec.className", 1, 63),
	matches("spec.className", "eu-1", "other/standard"),
	text("spec.displayName", 1, 100),
	matches("spec.displayName", "Grüße & Söhne <GmbH>", "two\nlines"),
	text("spec.region", 1, 63),
	matches("spec.region", "eu-1", "eu.central"),
	needed("spec.residency.jurisdictions"),
	jurisdictions("spec.residency.jurisdictions"),
	needed("spec.endpoint.host", "spec.endpoint.allowedOrigins"),
	hosts("spec.endpoint.host"),
	list("spec.endpoint.allowedOrigins", 20, func(i int) string { return fmt.Sprintf("https://site%d.example", i) }),
	textLike("spec.endpoint.allowedOrigins[]", 9, 267, https),
	matches("spec.endpoint.allowedOrigins[]", "https://www.example:8443", "https://www.example/path"),
	needed("spec.database.storageSize"),
	quantity("spec.database.storageSize"),
	needed("spec.backup.everyHours", "spec.backup.keepDays"),
	number("spec.backup.everyHours", 1, 168),
	number("spec.backup.keepDays", 1, 3650),
	needed("spec.hibernation.idleAfterMinutes"),
	number("spec.hibernation.idleAfterMinutes", 5, 10080),
	oneOf("spec.deletionPolicy", "Retain", "Delete"),
	oneOf("spec.reconciliation", "Active", "Paused"),
	[]bound{
		{"spec.adoptUID", minLength, someUID, someUID[1:]},
		{"spec.adoptUID", maxLength, someUID, someUID + "0"},
	},
	matches("spec.adoptUID", someUID, "0A000000-0000-4000-8000-000000000000"),
)

var tenantPolicyBounds = slices.Concat(
	needed("spec.privacy.policyURL"),
	textLike("spec.privacy.policyURL", 9, 500, https),
	oneOf("spec.privacy.visitorAddress", "Drop", "Truncate", "Keep"),
	notEmpty("spec.privacy.retention", map[string]int{"auditDays": 30}),
	number("spec.privacy.retention.transcriptDays", 1, 3650),
	number("spec.privacy.retention.contactDays", 1, 3650),
	number("spec.privacy.retention.attachmentDays", 1, 3650),
	number("spec.privacy.retention.auditDays", 30, 3650),
	needed("spec.subProcessors.approval"),
	oneOf("spec.subProcessors.approval", "AfterNotice", "Manual"),
	number("spec.subProcessors.noticeDays", 0, 365),
	list("spec.subProcessors.use", 64, named),
	needed("spec.subProcessors.use[].name"),
	text("spec.subProcessors.use[].name", 1, 63),
	matches("spec.subProcessors.use[].name", "eu-1", "other/mail"),
	list("spec.subProcessors.approvals", 64, func(i int) map[string]string {
		return map[string]string{"name": fmt.Sprintf("name-%d", i), "approvedOn": "2026-10-15"}
	}),
	needed("spec.subProcessors.approvals[].name", "spec.subProcessors.approvals[].approvedOn"),
	text("spec.subProcessors.approvals[].name", 1, 63),
	matches("spec.subProcessors.approvals[].name", "eu-1", "other/mail"),
	days("spec.subProcessors.approvals[].approvedOn"),
	list("spec.subProcessors.objections", 64, named),
	needed("spec.subProcessors.objections[].name"),
	text("spec.subProcessors.objections[].name", 1, 63),
	matches("spec.subProcessors.objections[].name", "eu-1", "other/mail"),
	text("spec.subProcessors.objections[].reason", 1, 500),
	needed("spec.encryption.provider"),
	oneOf("spec.encryption.provider", "Secret", "VaultTransit", "KMS"),
	needed("spec.encryption.secret.generation"),
	number("spec.encryption.secret.generation", 1, 100),
)

var chatTenantStatusBounds = slices.Concat(
	notEmpty("status", map[string]string{"namespace": "chat-full"}),
	[]bound{{"status.conditions", minItems, []any{aCondition}, []any{}}},
	[]bound{{"status.conditions", maxItems, conditions(32), conditions(33)}},
	[]bound{{"status.conditions", unique, conditions(2), []any{aCondition, aCondition}}},
	[]bound{{"status.observedGeneration", minimum, 1, 0}},
	text("status.namespace", 1, 63),
	needed("status.endpoint.url"),
	textLike("status.endpoint.url", 9, 300, https),
	text("status.endpoint.certificateIssuer", 1, 253),
	list("status.placement.objects", 64, func(i int) map[string]string {
		return map[string]string{"kind": "Pod", "name": fmt.Sprintf("pod-%d", i), "location": "node-1"}
	}),
	needed("status.placement.objects[].kind", "status.placement.objects[].name", "status.placement.objects[].location"),
	oneOf("status.placement.objects[].kind", "Pod", "PersistentVolumeClaim"),
	text("status.placement.objects[].name", 1, 253),
	text("status.placement.objects[].location", 1, 253),
	text("status.placement.objects[].region", 1, 63),
	needed("status.encryption.provider", "status.encryption.keyGeneration"),
	oneOf("status.encryption.provider", "Secret", "VaultTransit", "KMS"),
	[]bound{{"status.announcedKeyGeneration", minimum, 1, 0}},
	[]bound{{"status.encryption.keyGeneration", minimum, 1, 0}},
	[]bound{{"status.encryption.activeGeneration", minimum, 1, 0}},
	list("status.subProcessors", 256, func(i int) map[string]string {
		return map[string]string{"name": fmt.Sprintf("name-%d", i), "state": "Effective", "reason": "InEffect"}
	}),
	needed("status.subProcessors[].name", "status.subProcessors[].state", "status.subProcessors[].reason"),
	text("status.subProcessors[].name", 1, 63),
	text("status.subProcessors[].legalName", 1, 200),
	oneOf("status.subProcessors[].state", "Effective", "Pending", "Objected", "Retired"),
	oneOf("status.subProcessors[].reason", "InEffect", "Engaged", "NoticeRunning", "NotYetEffective", "ApprovalMissing",
		"CustomerObjected", "RecordMissing", "ChainBroken", "OutsideJurisdictions", "NoLongerUsed"),
	text("status.subProcessors[].because", 1, 63),
	days("status.subProcessors[].expectedFrom"),
	list("status.subProcessors[].endpoints", 32, func(i int) map[string]any {
		return map[string]any{"host": "mail.example", "port": i + 1}
	}),
	needed("status.subProcessors[].endpoints[].host", "status.subProcessors[].endpoints[].port"),
	hosts("status.subProcessors[].endpoints[].host"),
	number("status.subProcessors[].endpoints[].port", 1, 65535),
	number("status.isolation.tried", 1, 10000),
	number("status.isolation.refused", 1, 10000),
	number("status.isolation.open", 1, 10000),
	number("status.isolation.failures", 1, 1000000),
	text("status.isolation.planDigest", 64, 64),
	text("status.isolation.policiesDigest", 64, 64),
	text("status.isolation.lastFailure", 1, 400),
	list("status.isolation.holes", 16, func(i int) string { return fmt.Sprintf("postgres -> 10.0.0.%d:443 (node n)", i) }),
	text("status.isolation.holes[]", 1, 400),
	text("status.versions.chatServer", 1, 500),
	text("status.versions.egressGateway", 1, 500),
	text("status.versions.postgres", 1, 500),
)

const someUID = "0a000000-0000-4000-8000-000000000000"

var aCondition = conditions(1)[0]

func conditions(n int) []any {
	return numbered(n, func(i int) any {
		return map[string]string{
			"type": fmt.Sprintf("Condition%d", i), "status": "True", "reason": "Tested", "message": "",
			"lastTransitionTime": "2026-01-01T00:00:00Z",
		}
	})
}

func https(n int) string { return padded("https://", n) }

func named(i int) map[string]string { return map[string]string{"name": fmt.Sprintf("name-%d", i)} }

// hosts are DNS names as certificates and server names hold them.
func hosts(at string) []bound {
	return slices.Concat(
		[]bound{{at, minLength, "a.b", "ab"}, {at, maxLength, hostName(253), hostName(254)}},
		matches(at, "chat.acme.example", "Chat.acme.example"),
		matches(at, "xn--gre-6ka8g.example", "acme.example."),
		matches(at, "a.b", "10.0.0.1"),
		matches(at, "acme.localhost", "*.acme.example"),
	)
}

// jurisdictions are lists of countries, or of sets of them.
func jurisdictions(at string) []bound {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	country := func(i int) string { return letters[i/26:i/26+1] + letters[i%26:i%26+1] }
	return slices.Concat(
		list(at, 50, country),
		[]bound{{at + "[]", minLength, "DE", "D"}, {at + "[]", maxLength, "EEA", "EEAA"}},
		matches(at+"[]", "EU", "de"),
	)
}
