// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"context"
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
	notYours          = "pods in a tenant's namespace are made by Kubernetes' own controllers"
	managed           = "this object is managed by the ChatTenant operator"
)

const (
	managedBy       = "app.kubernetes.io/managed-by"
	certManagerMark = "controller.cert-manager.io/fao"
)

var (
	relabel = labelTo("extra", "label")
	disown  = labelTo(managedBy, "")
	claim   = labelTo(managedBy, "chattenant")
)

// trusted are the operator and the control plane, which makes things of what the operator wrote.
var trusted = append([]string{operator}, kubernetes...)

// trustedWithKeys may also write certificates' Secrets.
var trustedWithKeys = append([]string{certManager}, trusted...)

func TestOnlyTheOperatorOpensATenantsNamespace(t *testing.T) {
	inTenantNamespace(t)
	policy := newObject("networking.k8s.io/v1", "NetworkPolicy", "default-deny")
	testMatrix(t, []permission{
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
	})
}

func TestOnlyTheOperatorAndCertManagerKeepKeys(t *testing.T) {
	inTenantNamespace(t)
	keys, certificate := newObject("v1", "Secret", "key-encryption-key"), newObject("v1", "Secret", "endpoint-tls")
	testMatrix(t, []permission{
		{"delete the key", deletion(keys), trusted, onlyTwoKeepKeys},
		{"disown the key", patching(keys, disown), trusted, onlyTwoKeepKeys},
		{"pass the key off as a certificate", patching(keys, labelTo(certManagerMark, "true")),
			trusted, onlyTwoKeepKeys},
		{"create a Secret", creation(newObject("v1", "Secret", "foreign")), trusted, onlyTwoKeepKeys},
		{"delete all Secrets", deletionOfAll("v1", "Secret"), trusted, onlyTwoKeepKeys},
		{"create a certificate's Secret", creation(labelled(newObject("v1", "Secret", "next"), certManagerMark, "true")),
			trustedWithKeys, onlyTwoKeepKeys},
		{"renew a certificate's Secret", patching(certificate, `{"data":{"tls.key":"bmV3"}}`), trustedWithKeys,
			onlyTwoKeepKeys},
		{"delete a certificate's Secret", deletion(certificate), trustedWithKeys, onlyTwoKeepKeys},
		{"pass a certificate off as the key", patching(certificate, labelTo(certManagerMark, "")),
			trusted, onlyTwoKeepKeys},
	})
}

func TestOnlyTheOperatorChangesWhatItManages(t *testing.T) {
	inTenantNamespace(t)
	config := newObject("v1", "ConfigMap", "chatserver")
	deployment := newObject("apps/v1", "Deployment", "chatserver")
	testMatrix(t, []permission{
		{"change a managed object", patching(config, `{"data":{"a":"b"}}`), trusted, managed},
		{"disown a managed object", patching(config, disown), trusted, managed},
		{"delete a managed object", deletion(deployment), trusted, managed},
		{"create an object that looks managed", creation(labelled(newObject("v1", "ConfigMap", "foreign"),
			managedBy, "chattenant")), trusted, managed},
		{"let an object look managed", patching(newObject("v1", "ServiceAccount", "default"), claim), trusted, managed},
		{"create an object of one's own", creation(newObject("v1", "ConfigMap", "foreign")), everybody, ""},
		{"change a Certificate", patching(newObject("cert-manager.io/v1", "Certificate", "endpoint"), relabel), trusted,
			askedByOperator},
		{"request a certificate", creation(labelled(newObject("cert-manager.io/v1", "CertificateRequest", "endpoint-1"),
			managedBy, "chattenant")), trustedWithKeys, askedByOperator},

		{"scale a workload", patchingSubresource(deployment, "scale", `{"spec":{"replicas":0}}`), trusted, notByHand},
	})
}

func TestPodsAndVolumesAreLivedWithButNotChanged(t *testing.T) {
	inTenantNamespace(t)
	pod, volume := newObject("v1", "Pod", "chatserver-1"), newObject("v1", "PersistentVolumeClaim", "data-postgres-0")
	testMatrix(t, []permission{
		{"restart a pod", deletion(pod), everybody, ""},
		{"relabel a pod through its status", patchingSubresource(pod, "status", relabel), kubernetes, ""},
		{"drain a pod's node", eviction(pod), everybody, ""},
		{"change a pod's image", patching(pod, `{"spec":{"containers":[`+container("chatserver", "evil:1")+`]}}`),
			kubernetes, ""},

		{"annotate a claim, as volume drivers do", patching(volume, annotationTo("a", "b")), everybody, ""},
		{"hold a claim, as volume drivers do", patching(volume, `{"metadata":{"finalizers":["example.com/snapshot"]}}`),
			everybody, ""},
		{"relabel a claim", patching(volume, relabel), trusted, managed},
		{"give a claim another owner", patching(volume, `{"metadata":{"ownerReferences":[`+
			`{"apiVersion":"v1","kind":"Pod","name":"gone","uid":"1"}]}}`), trusted, managed},
		{"delete a claim", deletion(volume), trusted, managed},
	})
}

// What runs in a tenant's namespace holds its keys, so nobody runs anything there but the operator, by its templates.
func TestNobodyRunsAnythingBesideATenant(t *testing.T) {
	inTenantNamespace(t)
	own := changed(t, manifest(t, "pod"), set("metadata.name", "own"), set("metadata.labels", absent))
	permissions := []permission{{"create a pod", creation(own), trusted, notYours}}
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"} {
		o := newStatefulSet("own", newClaim("data"))
		o.SetKind(kind)
		if kind != "StatefulSet" {
			o = changed(t, o, set("spec.serviceName", absent), set("spec.volumeClaimTemplates", absent))
		}
		permissions = append(permissions, permission{"create a " + kind, creation(o), trusted, notYours})
	}
	controller := newObject("v1", "ReplicationController", "own")
	controller.Object["spec"] = map[string]any{
		"selector": map[string]any{"a": "b"}, "template": map[string]any{
			"metadata": map[string]any{"labels": map[string]any{"a": "b"}},
			"spec":     map[string]any{"containers": []any{map[string]any{"name": "c", "image": "c"}}},
		},
	}
	permissions = append(permissions,
		permission{"create a ReplicationController", creation(controller), trusted, notYours})
	testMatrix(t, permissions)
}

// Rights in a namespace do not make a volume driver: a finalizer would hold what a deleted tenant leaves.
func TestAnAdministratorOfTheNamespaceDoesNotHoldItsClaims(t *testing.T) {
	inTenantNamespace(t)
	const admin = "bob@platform.example"
	given := binding("chat-acme", "ClusterRole", "claims-editor", map[string]any{"kind": "User",
		"apiGroup": "rbac.authorization.k8s.io", "name": admin})
	role := newObject("rbac.authorization.k8s.io/v1", "ClusterRole", "claims-editor")
	role.SetNamespace("")
	role.Object["rules"] = []any{map[string]any{"apiGroups": []any{""}, "resources": []any{"persistentvolumeclaims"},
		"verbs": []any{"get", "patch", "delete"}}}
	for _, o := range []*unstructured.Unstructured{role, given} {
		if err := adminClient(t).Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { remove(t, o) })
	}
	volume := newObject("v1", "PersistentVolumeClaim", "data-postgres-0")
	c := must(impersonate(admin, "system:authenticated"))(t)
	eventually(t, func() error {
		return patching(volume, annotationTo("a", "b"))(t.Context(), c)
	}, managed)
	wantRefusal(t, patching(volume, `{"metadata":{"finalizers":["example.com/mine"]}}`)(t.Context(), c), managed)
	wantRefusal(t, deletion(volume)(t.Context(), c), managed)
}

func TestOtherNamespacesAreLeftAlone(t *testing.T) {
	inTenantNamespace(t)
	c := as(t, person)
	for _, o := range []*unstructured.Unstructured{
		openPolicy("own"), service("own"), slice("own"), newObject("v1", "Secret", "own"),
		labelled(newObject("v1", "ConfigMap", "own"), managedBy, "chattenant"),
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

// container is one that Pod Security has nothing against, as JSON.
func container(name, image string) string {
	return `{"name":"` + name + `","image":"` + image +
		`","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}`
}
