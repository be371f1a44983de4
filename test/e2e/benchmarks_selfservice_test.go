// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/chattenant/chattenant/api/naming"
)

// ownRole is one that an administrator of the namespace may make.
func ownRole() *rbacv1.Role {
	return &rbacv1.Role{ObjectMeta: object(naming.Namespace(acme), "own"), Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}},
	}}
}

func ownBinding(kind, role string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: object(naming.Namespace(acme), "own"),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: ownPrefix + "colleague"}},
	}
}

// rolesAreMade shows who may make roles: whoever was made the namespace's administrator, within the rights that gave. A
// tenant's pods and the operator may not.
func rolesAreMade(t *testing.T, tr *trial) {
	for _, who := range append(tr.accounts[:len(tr.accounts):len(tr.accounts)], tr.operator) {
		tr.refused(t, who, "make a role", making(ownRole()), byRBAC)
	}
	tr.allowed(t, tr.admin, "make a role", making(ownRole()))
	more := ownRole()
	more.Rules[0].Verbs = []string{"*"}
	tr.refused(t, tr.admin, "make a role of all verbs", making(more), byEscalation)
	// The product's own role is not his to change.
	tenants := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "chattenant-tenant"}}
	tr.refusedToAll(t, "change the operator's role", changing(tenants, `{"rules":[]}`), byRBAC, byRBAC)
}

// bindingsAreMade does the same for bindings; the operator's own stays as it is.
func bindingsAreMade(t *testing.T, tr *trial) {
	for _, account := range tr.accounts {
		tr.refused(t, account, "bind a role", making(ownBinding("ClusterRole", "view")), byRBAC)
	}
	tr.refused(t, tr.operator, "bind a role", making(ownBinding("ClusterRole", "view")), byAnybody)
	tr.allowed(t, tr.admin, "bind a role", making(ownBinding("ClusterRole", "view")))
	tr.refused(t, tr.admin, "bind a role of more rights", making(ownBinding("ClusterRole", "cluster-admin")), byEscalation)
	all := &rbacv1.RoleBindingList{}
	if err := live.List(t.Context(), all, inNamespaceOf(acme)...); err != nil || len(all.Items) == 0 {
		t.Fatalf("%d bindings, error %v", len(all.Items), err)
	}
	for i := range all.Items {
		if found := &all.Items[i]; found.RoleRef.Name == "chattenant-tenant" {
			tr.refused(t, tr.admin, "remove the operator's binding", removing(found), byPolicy(policyObjects))
			tr.refused(t, tr.admin, "join the operator's binding", changing(found, `{"subjects":[]}`), byAnybody)
		}
	}
}

// roleIsMadeAndBound makes both in earnest: a role that is not there cannot be bound.
func roleIsMadeAndBound(t *testing.T, tr *trial) {
	role := ownRole()
	anew(t, role)
	tr.allowed(t, tr.admin, "bind a role of one's own", making(ownBinding("Role", role.Name)))
	for _, who := range append(tr.accounts[:len(tr.accounts):len(tr.accounts)], tr.operator) {
		tr.refused(t, who, "bind a role of one's own", making(ownBinding("Role", role.Name)), byAnybody)
	}
	// A role in one's own namespace opens nothing in another's.
	foreign := ownRole()
	foreign.Namespace = naming.Namespace(globex)
	tr.refusedToAll(t, "make a role in another tenant's namespace", making(foreign), byRBAC, byRBAC)
}

// networkPoliciesAreDeclared refuses what the benchmark wants: policies only add to each other, so that one more can
// open a tenant and none can close it further. Whom a tenant talks to is declared in its ChatTenant.
func networkPoliciesAreDeclared(t *testing.T, tr *trial) {
	policies := schema.GroupResource{Group: networkingv1.GroupName, Resource: "networkpolicies"}
	for _, verb := range allVerbs {
		tr.hasRight(t, tr.admin, right(verb, policies, naming.Namespace(acme)))
	}
	open := &networkingv1.NetworkPolicy{ObjectMeta: object(naming.Namespace(acme), "open")}
	open.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}}
	all := &networkingv1.NetworkPolicyList{}
	if err := live.List(t.Context(), all, inNamespaceOf(acme)...); err != nil || len(all.Items) == 0 {
		t.Fatalf("%d policies, error %v", len(all.Items), err)
	}
	tried := map[string]deed{
		"add a policy":    making(open),
		"open a policy":   changing(&all.Items[0], `{"spec":{"ingress":[{}],"egress":[{}]}}`),
		"remove a policy": removing(&all.Items[0]),
		"remove policies": removingAll(open, open.Namespace),
	}
	for what, do := range tried {
		for _, account := range tr.accounts {
			tr.refused(t, account, what, do, byRBAC)
		}
		tr.refused(t, tr.admin, what, do, byPolicy(policyObjects))
	}
}
