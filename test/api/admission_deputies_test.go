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

const (
	askedByKubelets = "tokens of a tenant's service accounts are asked for by the kubelets that run its pods"
	askedByOperator = "certificates in a tenant's namespace are asked for by the ChatTenant operator"
	contentsGoFirst = "spec.finalizers of a tenant's namespace are the cluster's"
)

// What is here leads round a policy by somebody who is trusted: the API server signs a token, an autoscaler scales,
// cert-manager issues, a kubelet runs a command.

// TestNobodyIsGivenATokenOfATenantsAccount: a key service would take it for the chat server's.
func TestNobodyIsGivenATokenOfATenantsAccount(t *testing.T) {
	inTenantNamespace(t)
	account := newObject("v1", "ServiceAccount", "default")
	account.SetNamespace("elsewhere")
	ensure(t, adminClient(t), account)
	testMatrix(t, []permission{
		{"ask for a token", tokenOf("chat-acme"), []string{kubelet}, askedByKubelets},
		{"ask for one elsewhere", tokenOf("elsewhere"), everybody, ""},
	})
}

func tokenOf(namespace string) attempt {
	account := newObject("v1", "ServiceAccount", "default")
	account.SetNamespace(namespace)
	return func(ctx context.Context, c client.Client) error {
		request := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
			"spec": map[string]any{"audiences": []any{"vault.example"}},
		}}
		return c.SubResource("token").Create(ctx, account.DeepCopy(), request, client.DryRunAll)
	}
}

// TestNobodyHasATenantScaled: two databases of which one is empty are worse than none.
func TestNobodyHasATenantScaled(t *testing.T) {
	inTenantNamespace(t)
	scaler := newObject("autoscaling/v2", "HorizontalPodAutoscaler", "own")
	database := map[string]any{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "postgres"}
	scaler.Object["spec"] = map[string]any{"minReplicas": int64(2), "maxReplicas": int64(3), "scaleTargetRef": database}
	vertical := newObject("autoscaling.k8s.io/v1", "VerticalPodAutoscaler", "own")
	pod := newObject("v1", "Pod", "chatserver-1")
	testMatrix(t, []permission{
		{"create an autoscaler", creation(scaler), trusted, notByHand},
		{"create a vertical one", creation(vertical), trusted, notByHand},
		{"resize a pod", patchingSubresource(pod, "resize", `{"spec":{}}`), trusted, managed},
	})
}

// TestNobodyButTheSchedulerPutsATenantsPodsOnNodes: the API server compares no affinity.
func TestNobodyButTheSchedulerPutsATenantsPodsOnNodes(t *testing.T) {
	inTenantNamespace(t)
	binding := newObject("v1", "Binding", "chatserver-1")
	binding.Object["target"] = map[string]any{"apiVersion": "v1", "kind": "Node", "name": "us-1"}
	bind := func(ctx context.Context, c client.Client) error {
		return c.SubResource("binding").Create(ctx, newObject("v1", "Pod", "chatserver-1"), binding.DeepCopy(),
			client.DryRunAll)
	}
	testMatrix(t, []permission{
		{"bind a pod", bind, trusted, notYours},
		{"bind a pod in the old way", creation(binding), trusted, notYours},
	})
}

// TestNobodyAsksForATenantsCertificates: the tenant's own authority would sign what its database lets in.
func TestNobodyAsksForATenantsCertificates(t *testing.T) {
	inTenantNamespace(t)
	certificate := newObject("cert-manager.io/v1", "Certificate", "own")
	certificate.Object["spec"] = map[string]any{"commonName": "chatserver", "secretName": "own",
		"issuerRef": map[string]any{"name": "internal-ca"}}
	request := newObject("cert-manager.io/v1", "CertificateRequest", "own")
	order, challenge := newObject("acme.cert-manager.io/v1", "Order", "own"), newObject("acme.cert-manager.io/v1",
		"Challenge", "own")
	testMatrix(t, []permission{
		{"create a Certificate", creation(certificate), trusted, askedByOperator},
		{"create a CertificateRequest", creation(request), trustedWithKeys, askedByOperator},
		{"create an Order", creation(order), trustedWithKeys, askedByOperator},
		{"create a Challenge", creation(challenge), trustedWithKeys, askedByOperator},
	})
	own := certificate.DeepCopy()
	own.SetNamespace("elsewhere")
	if err := creation(own)(t.Context(), as(t, person)); err != nil {
		t.Errorf("elsewhere: %v", err)
	}
}

// TestATenantsNamespaceGoesNotBeforeItsContents: without its finalizer it would leave claims behind, and their data.
func TestATenantsNamespaceGoesNotBeforeItsContents(t *testing.T) {
	inTenantNamespace(t)
	testMatrix(t, []permission{
		{"let it go", finalizing("chat-gone", func(o *unstructured.Unstructured) {
			unstructured.RemoveNestedField(o.Object, "spec", "finalizers")
		}), []string{operator, garbage, namespaces, manager}, contentsGoFirst},
		{"let another go", finalizing("elsewhere", func(o *unstructured.Unstructured) {
			unstructured.RemoveNestedField(o.Object, "spec", "finalizers")
		}), everybodyButTheOperator(), reach},
	})
}

func everybodyButTheOperator() []string { return append(bystanders(), garbage, namespaces, manager) }

// finalizing writes a namespace through its subresource finalize.
func finalizing(name string, change func(o *unstructured.Unstructured)) attempt {
	return func(ctx context.Context, c client.Client) error {
		ns := namespace(name)
		if err := c.Get(ctx, client.ObjectKeyFromObject(ns), ns); err != nil {
			return err
		}
		change(ns)
		return c.SubResource("finalize").Update(ctx, ns, client.DryRunAll)
	}
}

// TestAKubeletRunsNothingInAProbe beside its one command: hooks and checks are commands too.
func TestAKubeletRunsNothingInAProbe(t *testing.T) {
	inTenantNamespace(t)
	withProbedClass(t)
	command := map[string]any{"exec": map[string]any{"command": []any{"/chatserver", "serve"}}}
	for _, with := range []map[string]any{
		{"lifecycle": map[string]any{"postStart": command}}, {"lifecycle": map[string]any{"preStop": command}},
		{"livenessProbe": command}, {"readinessProbe": command}, {"startupProbe": command},
	} {
		pod := changed(t, probePod(t), set("spec.containers", []any{probeContainer(with)}))
		wantRefusal(t, creation(pod)(t.Context(), as(t, operator)), nothingButAProbe)
	}
}

// TestTheOperatorWritesNoOldPodSecurity: the level restricted of an old version holds less.
func TestTheOperatorWritesNoOldPodSecurity(t *testing.T) {
	inTenantNamespace(t)
	const version = "pod-security.kubernetes.io/enforce-version"
	c, old := as(t, operator), tenantsNamespace("chat-new")
	old.SetLabels(withLabel(old.GetLabels(), version, "v1.0"))
	wantRefusal(t, creation(old)(t.Context(), c), wellFormed)
	wantRefusal(t, patching(namespace("chat-acme"), labelTo(version, "v1.0"))(t.Context(), c), wellFormed)
	latest := tenantsNamespace("chat-new")
	latest.SetLabels(withLabel(latest.GetLabels(), version, "latest"))
	if err := creation(latest)(t.Context(), c); err != nil {
		t.Error(err)
	}
}

func withLabel(labels map[string]string, key, value string) map[string]string {
	labels[key] = value
	return labels
}
