// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"context"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
)

// The API server itself is asked, because what roles add up to is its decision.
func TestTheAPIServerKnowsTheLimits(t *testing.T) {
	inTenantNamespace(t)
	ensure(t, as(t, operator), binding("chat-acme", "ClusterRole", "chattenant-tenant", itself()))
	// The API server hears of the binding by watching; until then it says no to everything in the namespace.
	err := poll(t.Context(), func(context.Context) (bool, error) {
		return limit{operator, "create", "", "secrets", "", "chat-acme", true}.holds(t).Allowed, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []limit{
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
			if got := row.holds(t); got.Allowed != row.want {
				t.Errorf("allowed is %v, want %v (%s)", got.Allowed, row.want, got.Reason)
			}
		})
	}
}

// limit is what somebody may do or not.
type limit struct {
	user, verb, group, resource, subresource, namespace string
	want                                                bool
}

// holds asks the API server.
func (l limit) holds(t *testing.T) authorizationv1.SubjectAccessReviewStatus {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: l.user,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: l.verb, Group: l.group, Resource: l.resource, Subresource: l.subresource, Namespace: l.namespace,
		},
	}}
	if err := adminClient(t).Create(t.Context(), review); err != nil {
		t.Fatal(err)
	}
	return review.Status
}
