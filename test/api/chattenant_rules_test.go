// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestEveryRuleOfAChatTenantHolds(t *testing.T) { testRules(t, "chattenant", chatTenantRules) }

const (
	nameOfTenant    = "metadata.name must be a DNS label that starts with a letter and has at most 40 characters"
	adoptionDecided = "adoptUID is decided when the tenant is created and cannot change"
	databaseDecided = "database can be neither added nor removed later"
	notHTTPS        = "policyURL must be an https:// address"
	tooSmall        = "storageSize must be at least 256Mi"
)

var chatTenantRules = slices.Concat(tenantRules, keyRules)

var tenantRules = []rule{
	{name: "a name with a dot", message: nameOfTenant, offered: []change{set("metadata.name", "acme.example")}},
	{name: "a name that starts with a digit", message: nameOfTenant, offered: []change{set("metadata.name", "1acme")}},
	{name: "a name of 41 characters", message: nameOfTenant, offered: []change{set("metadata.name", a(41))}},

	{name: "another class", at: "spec.className", message: "className cannot change",
		stored: asIs, offered: []change{set("spec.className", "other")}},
	{name: "another region", at: "spec.region", message: "region cannot change",
		stored: asIs, offered: []change{set("spec.region", "us-east")}},
	{name: "an adoption that comes later", at: "spec", message: adoptionDecided,
		stored: asIs, offered: []change{set("spec.adoptUID", someUID)}},
	{name: "another adoption", at: "spec", message: adoptionDecided,
		stored:  []change{set("spec.adoptUID", someUID)},
		offered: []change{set("spec.adoptUID", "1"+someUID[1:])}},
	{name: "an adoption taken back", at: "spec", message: adoptionDecided,
		stored:  []change{set("spec.adoptUID", someUID)},
		offered: []change{set("spec.adoptUID", absent)}},
	{name: "a database size that comes later", at: "spec", message: databaseDecided,
		stored: asIs, offered: []change{set("spec.database.storageSize", "2Gi")}},
	{name: "a database size taken back", at: "spec", message: databaseDecided,
		stored:  []change{set("spec.database.storageSize", "2Gi")},
		offered: []change{set("spec.database", absent)}},
	{name: "another database size", at: "spec.database.storageSize", message: "storageSize cannot change",
		stored:  []change{set("spec.database.storageSize", "2Gi")},
		offered: []change{set("spec.database.storageSize", "3Gi")}},
	{name: "a database without room", at: "spec.database.storageSize", message: tooSmall,
		offered: []change{set("spec.database.storageSize", "255Mi")}},
	{name: "a database of a negative size", at: "spec.database.storageSize", message: tooSmall,
		offered: []change{set("spec.database.storageSize", "-1Gi")}},
	{name: "a database of a few bytes", at: "spec.database.storageSize", message: tooSmall,
		offered: []change{set("spec.database.storageSize", 1000)}},

	{name: "a policy over plain HTTP", at: "spec.privacy.policyURL", message: notHTTPS,
		offered: []change{set("spec.privacy.policyURL", "http://www.valid.example/privacy")}},
	{name: "a policy without a host", at: "spec.privacy.policyURL", message: notHTTPS,
		offered: []change{set("spec.privacy.policyURL", "https:///privacy")}},
	{name: "a policy that is no address", at: "spec.privacy.policyURL", message: notHTTPS,
		offered: []change{set("spec.privacy.policyURL", "see our site")}},
	{name: "a script for a policy", at: "spec.privacy.policyURL", message: notHTTPS,
		offered: []change{set("spec.privacy.policyURL", "javascript:alert(1)")}},

	{name: "an approval that nothing waits for", at: "spec.subProcessors",
		message: "approvals are only allowed for approval Manual",
		offered: []change{set("spec.subProcessors.approval", "AfterNotice"), approved("mail-relay-eu")}},
	{name: "a recipient both approved and objected to", at: "spec.subProcessors",
		message: "a recipient is either approved or objected to",
		offered: []change{
			set("spec.subProcessors.approval", "Manual"), approved("store", "mail-relay-eu"),
			set("spec.subProcessors.objections", []any{map[string]any{"name": "tape-vault"},
				map[string]any{"name": "mail-relay-eu"}}),
		}},
	{name: "not yet: backups", at: "spec", message: "this release takes no backups",
		offered: []change{set("spec.backup", map[string]any{"everyHours": 24, "keepDays": 30})}},
	{name: "not yet: sleep", at: "spec", message: "this release does not put tenants to sleep",
		offered: []change{set("spec.hibernation", map[string]any{"idleAfterMinutes": 30})}},
	{name: "not yet: visitors' truncated addresses", at: "spec.privacy",
		message: "this release never stores visitors' addresses",
		offered: []change{set("spec.privacy.visitorAddress", "Truncate")}},
	{name: "not yet: visitors' whole addresses", at: "spec.privacy",
		message: "this release never stores visitors' addresses",
		offered: []change{set("spec.privacy.visitorAddress", "Keep")}},
	{name: "not yet: deletion by age", at: "spec.privacy", message: "this release deletes nothing by age",
		offered: []change{set("spec.privacy.retention.transcriptDays", 365)}},
}

// approved lists recipients as approved.
func approved(names ...string) change {
	var list []any
	for _, name := range names {
		list = append(list, map[string]any{"name": name, "approvedOn": "2026-10-15"})
	}
	return set("spec.subProcessors.approvals", list)
}

func TestAProperChatTenantIsAccepted(t *testing.T) {
	testAccepted(t, "chattenant", []accepted{
		{name: "with nothing optional"},
		{name: "with a name of 40 characters", offered: []change{set("metadata.name", a(40))}},
		{name: "with a name of one letter", offered: []change{set("metadata.name", "a")}},
		{name: "with everything that this release can do", offered: []change{
			set("spec.residency.jurisdictions", []string{"EU", "EEA", "CH"}),
			set("spec.privacy.visitorAddress", "Drop"),
			set("spec.encryption.provider", "Secret"),
			set("spec.database.storageSize", "256Mi"),
			set("spec.subProcessors.approval", "Manual"),
			set("spec.subProcessors.noticeDays", 0),
			set("spec.subProcessors.use[].name", "mail-relay-eu"),
			approved("mail-relay-eu"),
			set("spec.subProcessors.objections", []any{map[string]any{"name": "tape-vault", "reason": "Too far away"}}),
			set("spec.deletionPolicy", "Delete"),
			set("spec.reconciliation", "Paused"),
			set("spec.adoptUID", someUID),
		}},
		{name: "with a size in bytes", offered: []change{set("spec.database.storageSize", 1<<30)}},
		{name: "when its name, places and policies change", stored: asIs, offered: []change{
			set("spec.displayName", "Renamed GmbH"),
			set("spec.endpoint", map[string]any{"host": "chat.new.example",
				"allowedOrigins": []string{"https://new.example:8443"}}),
			set("spec.residency.jurisdictions[]", "DE"),
			set("spec.privacy.policyURL", "https://new.example/privacy?lang=de#chat"),
			set("spec.deletionPolicy", "Delete"),
			set("spec.reconciliation", "Paused"),
			set("spec.encryption.provider", "Secret"),
		}},
		{name: "with a key in Vault from the beginning", offered: []change{vaultKey(1)}},
		{name: "with a key in AWS", offered: []change{keys("kms", awsKey(1))}},
		{name: "with a key in Google", offered: []change{keys("kms", googleKey(1))}},
		{name: "that takes up data of a key in Vault, and one in a Secret",
			offered: []change{keys("kms", googleKey(3), vault(2))}},
		{name: "when it moves to Vault", stored: asIs, offered: []change{vaultKey(2)}},
		{name: "when it moves on to a cloud", stored: []change{vaultKey(2)},
			offered: []change{keys("kms", awsKey(3), vault(2))}},
		{name: "when it moves back to a Secret", stored: []change{keys("kms", awsKey(3), vault(2))},
			offered: []change{keys("secret", map[string]any{"generation": 4}, aws(3), vault(2))}},
		{name: "when its Vault has another address, login and authority", stored: []change{vaultKey(1)}, offered: []change{
			set("spec.encryption.vaultTransit.address", "https://new.example:8200"),
			set("spec.encryption.vaultTransit.login.role", "other"),
			set("spec.encryption.vaultTransit.caBundle", certificate+certificate),
		}},
		{name: "when its key is rotated for the first time", stored: asIs, offered: []change{generation(2)}},
		{name: "when its key is rotated again", stored: []change{generation(2)}, offered: []change{generation(3)}},
		{name: "when its first key is only named", stored: asIs, offered: []change{generation(1)}},
		{name: "with rotations behind it, as one that takes up retained data", offered: []change{generation(7)}},
		{name: "when nothing about its database and adoption changes", stored: []change{
			set("spec.database.storageSize", "2Gi"), set("spec.adoptUID", someUID),
		}, offered: []change{set("spec.displayName", "Renamed GmbH")}},
	})
}

func TestAChatTenantIsRetainedAndActiveByDefault(t *testing.T) {
	tenant := ensure(t, adminClient(t), manifest(t, "chattenant"))
	wantField(t, tenant, "Retain", "spec", "deletionPolicy")
	wantField(t, tenant, "Active", "spec", "reconciliation")
}

func TestTheNoticePeriodIsThirtyDaysByDefault(t *testing.T) {
	tenant := ensure(t, adminClient(t), changed(t, manifest(t, "chattenant"),
		set("spec.subProcessors.approval", "AfterNotice")))
	wantField(t, tenant, int64(30), "spec", "subProcessors", "noticeDays")
}

func TestAChatTenantClassRunsTwoChatServersByDefault(t *testing.T) {
	wantField(t, ensure(t, adminClient(t), manifest(t, "chattenantclass")), int64(2), "spec", "chatServer", "replicas")
}

func wantField(t *testing.T, o *unstructured.Unstructured, want any, path ...string) {
	t.Helper()
	got, _, err := unstructured.NestedFieldNoCopy(o.Object, path...)
	if err != nil || got != want {
		t.Errorf("%v is %v (%v), want %v", path, got, err, want)
	}
}
