// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"testing"
)

// source is a source of a projected volume.
func source(kind string, with map[string]any) any { return map[string]any{kind: with} }

// TestAPodHasEveryVolumeThatComesFromItsNamespace, projected ones without a token as well, in any component.
func TestAPodHasEveryVolumeThatComesFromItsNamespace(t *testing.T) {
	inTenantNamespace(t)
	volume := func(name, kind string, with map[string]any) any { return map[string]any{"name": name, kind: with} }
	field := []any{map[string]any{"path": "name", "fieldRef": map[string]any{"fieldPath": "metadata.name"}}}
	pod := changed(t, manifest(t, "pod"), set("metadata.name", "postgres-1"), set("spec.serviceAccountName", "postgres"),
		volumes(
			volume("secret", "secret", map[string]any{"secretName": "s"}),
			volume("config", "configMap", map[string]any{"name": "c"}),
			volume("empty", "emptyDir", map[string]any{}),
			volume("claim", "persistentVolumeClaim", map[string]any{"claimName": "data-postgres-0"}),
			volume("down", "downwardAPI", map[string]any{"items": field}),
			volume("all", "projected", map[string]any{"sources": []any{
				source("secret", map[string]any{"name": "s"}), source("configMap", map[string]any{"name": "c"}),
				source("downwardAPI", map[string]any{"items": field}),
			}}),
		))
	if err := creation(pod)(t.Context(), as(t, replicaSets)); err != nil {
		t.Error(err)
	}
}

// TestTheKubernetesAPIIsRecognisedInEveryFormOfItsName, and nothing else is taken for it.
func TestTheKubernetesAPIIsRecognisedInEveryFormOfItsName(t *testing.T) {
	inTenantNamespace(t)
	var rows []tokenRow
	for audience, message := range map[string]string{
		"api": notForTheAPI, "kubernetes": notForTheAPI, "kubernetes.default": notForTheAPI,
		"kubernetes.default.svc": notForTheAPI, "kubernetes.default.svc.cluster.local": notForTheAPI,
		"http://kubernetes": notForTheAPI, "https://kubernetes.default.svc": notForTheAPI,
		"kubernetes:443": notForTheAPI, "https://kubernetes.default.svc/": notForTheAPI,
		"vault.kubernetes": "", "kubernetes.default.svc:8200/v1": "", "apis": "",
	} {
		rows = append(rows, tokenRow{"for " + audience, volumes(projecting(tokenFor(audience, 3600))), message})
	}
	testTokens(t, rows)
}

// TestADatabaseThatLooksLikeAChatServerHasNoToken: account and label must both be a chat server's.
func TestADatabaseThatLooksLikeAChatServerHasNoToken(t *testing.T) {
	inTenantNamespace(t)
	pod := tokenPod(t, set("spec.serviceAccountName", "postgres"))
	wantRefusal(t, creation(pod)(t.Context(), as(t, replicaSets)), noAPIAccess)
	short := tokenPod(t, volumes(projecting(tokenFor("vault.example", 599))))
	if err := creation(short)(t.Context(), as(t, replicaSets)); err == nil {
		t.Error("a token for less than ten minutes")
	}
}

// TestAProbesPodDiffersInNothing, each time in one thing only.
func TestAProbesPodDiffersInNothing(t *testing.T) {
	inTenantNamespace(t)
	withProbedClass(t)
	owner := func(kind string, controller bool) change {
		return set("metadata.ownerReferences", []any{map[string]any{
			"apiVersion": "batch/v1", "kind": kind, "name": "isolation", "uid": "1", "controller": controller,
		}})
	}
	only := func(key string, value any) change {
		return set("spec.containers", []any{probeContainer(map[string]any{key: value})})
	}
	for name, by := range map[string]change{
		"made by something else":         owner("CronJob", true),
		"made by nobody, for a Job":      owner("Job", false),
		"with something that runs first": set("spec.initContainers", []any{probeContainer(map[string]any{"name": "first"})}),
		"that starts again":              set("spec.restartPolicy", "Always"),
		"with a whole environment":       only("envFrom", []any{map[string]any{"configMapRef": map[string]any{"name": "c"}}}),
		"with another variable":          only("env", []any{map[string]any{"name": "CHATTENANT_OTHER", "value": "{}"}}),
	} {
		t.Run(name, func(t *testing.T) {
			wantRefusal(t, creation(changed(t, probePod(t), by))(t.Context(), as(t, operator)), nothingButAProbe)
		})
	}
}
