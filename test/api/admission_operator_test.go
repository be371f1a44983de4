// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	wellFormed = "the ChatTenant operator writes only namespaces chat-TENANT"
	ownOnly    = "the ChatTenant operator changes and deletes only namespaces that it made"
	fixed      = "a namespace's tenant and region cannot change"
	inTenants  = "the ChatTenant operator binds a role in namespaces of tenants only"
	toItself   = "the ChatTenant operator binds ClusterRole chattenant-tenant, to itself, and nothing else"
	declared   = "the ChatTenant operator does not change what a ChatTenant declares"
)

// Whoever holds the operator's token gets no further than the operator has to.
func TestTheOperatorReachesNoFurtherThanItsTenants(t *testing.T) {
	inTenantNamespace(t)
	acme, elsewhere := namespace("chat-acme"), namespace("elsewhere")
	tenant := ensure(t, adminClient(t), manifest(t, "chattenant"))
	for _, row := range []struct {
		name    string
		try     attempt
		message string
	}{
		{"make a tenant's namespace", creation(tenantsNamespace("chat-new")), ""},
		{"make one under another name", creation(tenantsNamespace("kube-new")), wellFormed},
		{"make one without a region", creation(without(tenantsNamespace("chat-new"), "chattenant.io/region")), wellFormed},
		{"make one without a tenant", creation(without(tenantsNamespace("chat-new"), "chattenant.io/tenant")), wellFormed},
		{"make one that is not marked as managed", creation(without(tenantsNamespace("chat-new"),
			"app.kubernetes.io/managed-by")), wellFormed},
		{"make one without pod security", creation(without(tenantsNamespace("chat-new"),
			"pod-security.kubernetes.io/enforce")), wellFormed},
		{"retain its own", patching(acme, labelTo("chattenant.io/state", "retained")), ""},
		{"delete its own", deletion(acme), ""},
		{"move a tenant", patching(acme, labelTo("chattenant.io/region", "us-east")), fixed},
		{"lower pod security", patching(acme, labelTo("pod-security.kubernetes.io/enforce", "baseline")), wellFormed},
		{"change another's", patching(elsewhere, relabel), ownOnly},
		{"take another's over", patching(namespace("kube-system"), `{"metadata":{"labels":{"chattenant.io/tenant":"x",`+
			`"chattenant.io/region":"y","app.kubernetes.io/managed-by":"chattenant",`+
			`"pod-security.kubernetes.io/enforce":"restricted"}}}`), ownOnly},
		{"change another's through the status", patchingSubresource(elsewhere, "status", relabel), ownOnly},
		{"delete another's", deletion(elsewhere), ownOnly},

		{"bind its role to itself", creation(binding("chat-acme", "ClusterRole", "chattenant-tenant", itself())), ""},
		{"bind its role elsewhere", creation(binding("elsewhere", "ClusterRole", "chattenant-tenant", itself())), inTenants},
		{"bind its role in kube-system", creation(binding("kube-system", "ClusterRole", "chattenant-tenant", itself())),
			inTenants},
		{"bind another role", creation(binding("chat-acme", "ClusterRole", "view", itself())), toItself},
		{"bind a Role of that name", creation(binding("chat-acme", "Role", "chattenant-tenant", itself())), toItself},
		{"bind its role to another", creation(binding("chat-acme", "ClusterRole", "chattenant-tenant", itself(),
			map[string]any{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": person})), toItself},
		{"bind its role to its namesake", creation(binding("chat-acme", "ClusterRole", "chattenant-tenant",
			map[string]any{"kind": "ServiceAccount", "name": "chattenant-operator", "namespace": "other"})), toItself},
		{"bind a role everywhere", creation(clusterBinding()), inTenants},

		{"put a finalizer on a tenant", patching(tenant, `{"metadata":{"finalizers":["chattenant.io/teardown"]}}`), ""},
		{"rewrite a tenant", patching(tenant, `{"spec":{"endpoint":{"host":"evil.example"}}}`), declared},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := row.try(t.Context(), as(t, operator))
			if row.message != "" {
				wantRefusal(t, err, row.message)
			} else if err != nil {
				t.Errorf("want no refusal, got: %v", err)
			}
		})
	}
}

func TestOthersBindRolesAsTheyMay(t *testing.T) {
	inTenantNamespace(t)
	for _, namespace := range []string{"chat-acme", "elsewhere"} {
		if err := creation(binding(namespace, "ClusterRole", "view", itself()))(t.Context(), as(t, person)); err != nil {
			t.Error(err)
		}
	}
}

// tenantsNamespace is one as the operator makes it.
func tenantsNamespace(name string) *unstructured.Unstructured {
	o := namespace(name)
	o.SetLabels(map[string]string{
		"app.kubernetes.io/managed-by": "chattenant", "chattenant.io/tenant": "new", "chattenant.io/region": "eu-central",
		"pod-security.kubernetes.io/enforce": "restricted",
	})
	return o
}

func without(o *unstructured.Unstructured, label string) *unstructured.Unstructured {
	labels := o.GetLabels()
	delete(labels, label)
	o.SetLabels(labels)
	return o
}

func itself() any {
	return map[string]any{"kind": "ServiceAccount", "name": "chattenant-operator", "namespace": "chattenant-system"}
}

func binding(namespace, kind, role string, subjects ...any) *unstructured.Unstructured {
	o := newObject("rbac.authorization.k8s.io/v1", "RoleBinding", "chattenant-operator")
	o.SetNamespace(namespace)
	o.Object["roleRef"] = map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}
	o.Object["subjects"] = subjects
	return o
}

func clusterBinding() *unstructured.Unstructured {
	o := binding("", "ClusterRole", "chattenant-tenant", itself())
	o.SetKind("ClusterRoleBinding")
	return o
}
