// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"context"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What the policy says, to whom it says no.
const (
	onlyOperatorOpens = "only the ChatTenant operator writes network policies, services and endpoints"
	onlyTwoKeepKeys   = "Secrets in a tenant's namespace are written by the ChatTenant operator"
	notByHand         = "a tenant's workloads are not scaled by hand"
	notThroughStatus  = "labels of a tenant's objects cannot be changed through their status"
	managed           = "this object is managed by the ChatTenant operator"
)

const (
	relabel = `{"metadata":{"labels":{"extra":"label"}}}`
	disown  = `{"metadata":{"labels":{"app.kubernetes.io/managed-by":null}}}`
	claim   = `{"metadata":{"labels":{"app.kubernetes.io/managed-by":"chattenant"}}}`
)

func TestOnlyTheOperatorWritesWhatKeepsATenantApart(t *testing.T) {
	inTenantNamespace(t)
	trusted := append([]string{operator}, kubernetes...)
	keys := newObject("v1", "Secret", "key-encryption-key")
	certificate := newObject("v1", "Secret", "endpoint-tls")
	policy := newObject("networking.k8s.io/v1", "NetworkPolicy", "default-deny")
	deployment := newObject("apps/v1", "Deployment", "chatserver")
	volume := newObject("v1", "PersistentVolumeClaim", "data-postgres-0")
	pod := newObject("v1", "Pod", "chatserver-1")
	for _, row := range []struct {
		name    string
		try     attempt
		allowed []string
		message string
	}{
		{"create a network policy", creation(openPolicy("foreign")), trusted, onlyOperatorOpens},
		{"change a network policy", patching(policy, relabel), trusted, onlyOperatorOpens},
		{"open a network policy", patching(policy, `{"spec":{"ingress":[{}]}}`), trusted, onlyOperatorOpens},
		{"delete a network policy", deletion(policy), trusted, onlyOperatorOpens},
		{"delete all network policies", deletionOfAll("networking.k8s.io/v1", "NetworkPolicy"), trusted, onlyOperatorOpens},
		{"create a Service", creation(service("foreign")), trusted, onlyOperatorOpens},
		{"divert a Service", patching(newObject("v1", "Service", "chatserver"), `{"spec":{"externalIPs":["192.0.2.1"]}}`),
			trusted, onlyOperatorOpens},
		{"create an EndpointSlice", creation(slice("foreign")), trusted, onlyOperatorOpens},
		{"delete an EndpointSlice", deletion(newObject("discovery.k8s.io/v1", "EndpointSlice", "chatserver-1")),
			trusted, onlyOperatorOpens},
		{"create Endpoints", creation(newObject("v1", "Endpoints", "foreign")), trusted, onlyOperatorOpens},

		{"delete the key", deletion(keys), trusted, onlyTwoKeepKeys},
		{"disown the key", patching(keys, disown), trusted, onlyTwoKeepKeys},
		{"pass the key off as a certificate", patching(keys, `{"metadata":{"labels":{"controller.cert-manager.io/fao":"true"}}}`),
			trusted, onlyTwoKeepKeys},
		{"create a Secret", creation(newObject("v1", "Secret", "foreign")), trusted, onlyTwoKeepKeys},
		{"delete all Secrets", deletionOfAll("v1", "Secret"), trusted, onlyTwoKeepKeys},
		{"create a certificate's Secret", creation(labelled(newObject("v1", "Secret", "next"), "controller.cert-manager.io/fao", "true")),
			append(trusted, certManager), onlyTwoKeepKeys},
		{"renew a certificate's Secret", patching(certificate, `{"data":{"tls.key":"bmV3"}}`), append(trusted, certManager), onlyTwoKeepKeys},
		{"delete a certificate's Secret", deletion(certificate), append(trusted, certManager), onlyTwoKeepKeys},
		{"pass a certificate off as the key", patching(certificate, `{"metadata":{"labels":{"controller.cert-manager.io/fao":null}}}`),
			trusted, onlyTwoKeepKeys},

		{"change a managed object", patching(newObject("v1", "ConfigMap", "chatserver"), `{"data":{"a":"b"}}`), trusted, managed},
		{"disown a managed object", patching(newObject("v1", "ConfigMap", "chatserver"), disown), trusted, managed},
		{"delete a managed object", deletion(deployment), trusted, managed},
		{"create an object that looks managed", creation(labelled(newObject("v1", "ConfigMap", "foreign"),
			"app.kubernetes.io/managed-by", "chattenant")), trusted, managed},
		{"let an object look managed", patching(newObject("v1", "ServiceAccount", "default"), claim), trusted, managed},
		{"create an object of one's own", creation(newObject("v1", "ConfigMap", "foreign")), everybody, ""},
		{"change a Certificate", patching(newObject("cert-manager.io/v1", "Certificate", "endpoint"), relabel), trusted, managed},
		{"request a certificate", creation(labelled(newObject("cert-manager.io/v1", "CertificateRequest", "endpoint-1"),
			"app.kubernetes.io/managed-by", "chattenant")), append(trusted, certManager), managed},

		{"scale a workload", patchingSubresource(deployment, "scale", `{"spec":{"replicas":0}}`), trusted, notByHand},
		{"write a status", patchingSubresource(deployment, "status", `{"status":{"observedGeneration":1}}`), everybody, ""},
		{"relabel through the status", patchingSubresource(pod, "status", relabel), trusted, notThroughStatus},

		{"restart a pod", deletion(pod), everybody, ""},
		{"drain a pod's node", eviction(pod), everybody, ""},
		{"change a pod's image", patching(pod, `{"spec":{"containers":[`+
			`{"name":"chatserver","image":"evil:1","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]}}`),
			trusted, managed},

		{"annotate a claim, as volume drivers do", patching(volume, `{"metadata":{"annotations":{"a":"b"}}}`), everybody, ""},
		{"hold a claim, as volume drivers do", patching(volume, `{"metadata":{"finalizers":["example.com/snapshot"]}}`), everybody, ""},
		{"relabel a claim", patching(volume, relabel), trusted, managed},
		{"give a claim another owner", patching(volume, `{"metadata":{"ownerReferences":[`+
			`{"apiVersion":"v1","kind":"Pod","name":"gone","uid":"1"}]}}`), trusted, managed},
		{"delete a claim", deletion(volume), trusted, managed},
	} {
		for _, user := range everybody {
			t.Run(row.name+" as "+user, func(t *testing.T) {
				err := row.try(t.Context(), as(t, user))
				if slices.Contains(row.allowed, user) {
					if err != nil {
						t.Errorf("want no refusal, got: %v", err)
					}
					return
				}
				wantRefusal(t, err, row.message)
			})
		}
	}
}

func TestOtherNamespacesAreLeftAlone(t *testing.T) {
	inTenantNamespace(t)
	c := as(t, person)
	for _, o := range []*unstructured.Unstructured{
		openPolicy("own"), service("own"), slice("own"), newObject("v1", "Secret", "own"),
		labelled(newObject("v1", "ConfigMap", "own"), "app.kubernetes.io/managed-by", "chattenant"),
	} {
		o.SetNamespace("elsewhere")
		if err := creation(o)(t.Context(), c); err != nil {
			t.Error(err)
		}
	}
}

func openPolicy(name string) *unstructured.Unstructured {
	o := newObject("networking.k8s.io/v1", "NetworkPolicy", name)
	o.Object["spec"] = map[string]any{"podSelector": map[string]any{}, "ingress": []any{map[string]any{}}}
	return o
}

func service(name string) *unstructured.Unstructured {
	o := newObject("v1", "Service", name)
	o.Object["spec"] = map[string]any{"type": "ExternalName", "externalName": "elsewhere.example"}
	return o
}

func slice(name string) *unstructured.Unstructured {
	o := labelled(newObject("discovery.k8s.io/v1", "EndpointSlice", name), "kubernetes.io/service-name", "chatserver")
	o.Object["addressType"] = "IPv4"
	o.Object["endpoints"] = []any{map[string]any{"addresses": []any{"192.0.2.1"}}}
	return o
}

func labelled(o *unstructured.Unstructured, key, value string) *unstructured.Unstructured {
	o.SetLabels(map[string]string{key: value})
	return o
}

func deletionOfAll(apiVersion, kind string) attempt {
	return func(ctx context.Context, c client.Client) error {
		return c.DeleteAllOf(ctx, newObject(apiVersion, kind, ""), client.InNamespace("chat-acme"), client.DryRunAll)
	}
}

// eviction ends a pod, which is what drain does.
func eviction(pod *unstructured.Unstructured) attempt {
	return func(ctx context.Context, c client.Client) error {
		request := newObject("policy/v1", "Eviction", pod.GetName())
		return c.SubResource("eviction").Create(ctx, pod.DeepCopy(), request, client.DryRunAll)
	}
}
