// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
)

// The API server itself is asked, because what roles add up to is its decision.
func TestTheAPIServerKnowsTheLimits(t *testing.T) {
	inTenantNamespace(t)
	if err := as(t, operator).Create(t.Context(), binding("chat-acme", "ClusterRole", "chattenant-tenant",
		itself())); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		user, verb, group, resource, subresource, namespace string
		want                                                bool
	}{
		{operator, "list", "", "secrets", "", "", false},
		{operator, "watch", "", "secrets", "", "", false},
		{operator, "get", "", "secrets", "", "chat-acme", false},
		{operator, "list", "", "secrets", "", "chat-acme", false},
		{operator, "patch", "", "secrets", "", "chat-acme", false},
		{operator, "update", "", "secrets", "", "chat-acme", false},
		{operator, "deletecollection", "", "secrets", "", "chat-acme", false},
		{operator, "create", "", "secrets", "", "chat-acme", true},
		{operator, "delete", "", "secrets", "", "chat-acme", true},
		{operator, "create", "", "secrets", "", "elsewhere", false},
		{operator, "create", "", "secrets", "", "chattenant-system", false},
		{operator, "patch", "apps", "deployments", "", "chat-acme", true},
		{operator, "patch", "apps", "deployments", "", "elsewhere", false},
		{operator, "patch", "apps", "deployments", "", "chattenant-system", false},
		{operator, "delete", "", "persistentvolumeclaims", "", "chat-acme", true},
		{operator, "create", "", "persistentvolumeclaims", "", "chat-acme", false},
		{operator, "create", "", "pods", "", "chat-acme", false},
		{operator, "patch", "", "pods", "", "chat-acme", true},
		{operator, "patch", "", "pods", "", "elsewhere", false},
		{operator, "patch", "", "pods", "", "chattenant-system", false},
		{operator, "update", "", "pods", "", "chat-acme", false},
		{operator, "delete", "", "pods", "", "chat-acme", false},
		{operator, "patch", "", "pods", "status", "chat-acme", false},
		{operator, "patch", "", "pods", "ephemeralcontainers", "chat-acme", false},
		{operator, "patch", "chattenant.io", "subprocessors", "", "", false},
		{operator, "create", "", "pods", "exec", "chat-acme", false},
		{operator, "create", "", "serviceaccounts", "token", "chat-acme", false},
		{operator, "bind", "rbac.authorization.k8s.io", "clusterroles", "", "", false},
		{operator, "create", "rbac.authorization.k8s.io", "clusterrolebindings", "", "", false},
		{operator, "delete", "chattenant.io", "chattenants", "", "", false},
		{operator, "update", "coordination.k8s.io", "leases", "", "elsewhere", false},
		{operator, "impersonate", "", "users", "", "", false},
		{gateway, "watch", "chattenant.io", "chattenants", "", "", true},
		{gateway, "patch", "chattenant.io", "chattenants", "", "", false},
		{gateway, "get", "", "secrets", "", "chattenant-system", false},
		{gateway, "list", "", "services", "", "chat-acme", false},
		{gateway, "list", "", "namespaces", "", "", false},
	} {
		name := row.user + " " + row.verb + " " + row.resource + "/" + row.subresource + " in " + row.namespace
		t.Run(name, func(t *testing.T) {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: row.user,
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Verb: row.verb, Group: row.group, Resource: row.resource, Subresource: row.subresource, Namespace: row.namespace,
				},
			}}
			if err := adminClient(t).Create(t.Context(), review); err != nil {
				t.Fatal(err)
			}
			if review.Status.Allowed != row.want {
				t.Errorf("allowed is %v, want %v (%s)", review.Status.Allowed, row.want, review.Status.Reason)
			}
		})
	}
}
