// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// as acts with the identity and the rights of a service account, named system:serviceaccount:NAMESPACE:NAME.
func as(t *testing.T, account string) client.Client {
	t.Helper()
	parts := strings.Split(account, ":")
	if len(parts) != 4 {
		t.Fatalf("%q is no service account", account)
	}
	config := rest.CopyConfig(live.config)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: account,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + parts[2], "system:authenticated"},
	}
	c, err := client.New(config, client.Options{Scheme: live.Scheme(), Mapper: live.RESTMapper()})
	if err != nil {
		t.Fatalf("act as %s: %v", account, err)
	}
	return c
}

// may asks the API server whether a service account has a right.
func may(t *testing.T, account, verb, group, resource, namespace string) bool {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:   account,
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + systemNamespace, "system:authenticated"},
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: verb, Group: group, Resource: resource, Namespace: namespace,
		},
	}}
	if err := live.Create(t.Context(), review); err != nil {
		t.Fatalf("ask whether %s may %s %s: %v", account, verb, resource, err)
	}
	return review.Status.Allowed
}

// refusedBy fails the test unless a request was refused by an admission policy of that name.
func refusedBy(t *testing.T, policy string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("want a refusal by policy %s, but it was let through", policy)
		return
	}
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "'"+policy+"'") {
		t.Errorf("want a refusal by policy %s, got: %v", policy, err)
		return
	}
	_, message, _ := strings.Cut(err.Error(), "denied request: ")
	t.Logf("refused: %s", message)
}

// refusedByRBAC fails the test unless a request was refused for want of rights.
func refusedByRBAC(t *testing.T, err error) {
	t.Helper()
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "cannot") {
		t.Errorf("want a refusal for want of rights, got: %v", err)
	}
}

func containsAll(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
