// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// right is one verb on one resource.
type right struct{ group, resource, verb string }

// forPeople are roles that no program of ours holds.
var forPeople = []string{
	"chattenant-viewer", "chattenant-tenant-editor", "chattenant-platform-editor", "chattenant-metrics-reader",
}

func TestNoProgramHoldsMoreThanItNeeds(t *testing.T) {
	for way, objects := range installations(t) {
		for _, role := range roles(t, objects) {
			if slices.Contains(forPeople, role.Name) {
				continue
			}
			for _, r := range rights(role) {
				if why := tooMuch(role, r); why != "" {
					t.Errorf("%s: %s may %s %s: %s", way, role.Name, r.verb, r.resource, why)
				}
			}
		}
	}
}

// tooMuch names what is wrong with a right, whoever holds it.
func tooMuch(role rbacv1.ClusterRole, r right) string {
	write := !slices.Contains([]string{"get", "list", "watch"}, r.verb)
	switch {
	case r.group == "*" || r.resource == "*" || r.verb == "*":
		return "it is a wildcard"
	case r.verb == "escalate" || r.verb == "impersonate":
		return "it is a way to every other right"
	case r.verb == "bind" && !slices.Equal(bindable(role), []string{"chattenant-tenant"}):
		return "it may bind chattenant-tenant only"
	case strings.HasPrefix(r.resource, "pods/") || strings.HasPrefix(r.resource, "serviceaccounts/") ||
		strings.HasPrefix(r.resource, "nodes/"):
		return "it leads into pods, accounts or nodes"
	case r.resource == "secrets" && (role.Name != "chattenant-tenant" || !slices.Contains([]string{"create", "delete"},
		r.verb)):
		return "Secrets are created and deleted in tenants' namespaces, nothing else"
	case role.Name == "chattenant-operator" && role.Kind == "ClusterRole" && write && !writesEverywhere[r]:
		return "it is written in tenants' namespaces only"
	case role.Name == "chattenant-tenant" && (!write || r.verb == "update"):
		return "reading is the caches' part, and changes are patches"
	case role.Name == "chattenant-gateway" && (r.resource != "chattenants" || write):
		return "it learns names from ChatTenants"
	}
	return ""
}

// writesEverywhere is all that the operator may write in the whole cluster.
var writesEverywhere = map[right]bool{
	{"chattenant.io", "chattenants", "patch"}:                  true,
	{"chattenant.io", "chattenants", "update"}:                 true,
	{"chattenant.io", "chattenants/status", "patch"}:           true,
	{"chattenant.io", "chattenants/status", "update"}:          true,
	{"chattenant.io", "chattenants/finalizers", "update"}:      true,
	{"", "namespaces", "create"}:                               true,
	{"", "namespaces", "patch"}:                                true,
	{"", "namespaces", "delete"}:                               true,
	{"rbac.authorization.k8s.io", "rolebindings", "create"}:    true,
	{"rbac.authorization.k8s.io", "rolebindings", "patch"}:     true,
	{"rbac.authorization.k8s.io", "clusterroles", "bind"}:      true,
	{"", "events", "create"}:                                   true,
	{"", "events", "patch"}:                                    true,
	{"events.k8s.io", "events", "create"}:                      true,
	{"events.k8s.io", "events", "patch"}:                       true,
	{"authentication.k8s.io", "tokenreviews", "create"}:        true,
	{"authorization.k8s.io", "subjectaccessreviews", "create"}: true,
}

// What the operator writes it must also see, or it would never know that it is there.
func TestTheOperatorSeesWhatItWrites(t *testing.T) {
	for way, objects := range installations(t) {
		seen, written := rightsOf(t, objects, "chattenant-operator"), rightsOf(t, objects, "chattenant-tenant")
		for _, r := range written {
			for _, verb := range []string{"get", "list", "watch"} {
				if r.resource != "secrets" && !slices.Contains(seen, right{r.group, r.resource, verb}) {
					t.Errorf("%s: the operator writes %s and may not %s them", way, r.resource, verb)
				}
			}
		}
	}
}

// rightsOf are those of one ClusterRole.
func rightsOf(t *testing.T, objects []*unstructured.Unstructured, name string) []right {
	t.Helper()
	for _, role := range roles(t, objects) {
		if role.Kind == "ClusterRole" && role.Name == name {
			return rights(role)
		}
	}
	t.Fatalf("there is no ClusterRole %s", name)
	return nil
}

// Nothing but the operator's own account may hold its roles, and nothing binds the role that is for tenants'
// namespaces.
func TestEveryRoleIsBoundToItsProgramOnly(t *testing.T) {
	want := []string{
		"ClusterRole chattenant-gateway to ServiceAccount chattenant-system/chattenant-gateway",
		"ClusterRole chattenant-operator to ServiceAccount chattenant-system/chattenant-operator",
		"Role chattenant-operator to ServiceAccount chattenant-system/chattenant-operator",
	}
	for way, objects := range installations(t) {
		var got []string
		for _, o := range objects {
			if o.GetKind() != "ClusterRoleBinding" && o.GetKind() != "RoleBinding" {
				continue
			}
			binding := into[rbacv1.ClusterRoleBinding](t, o)
			for _, s := range binding.Subjects {
				got = append(got, binding.RoleRef.Kind+" "+binding.RoleRef.Name+" to "+s.Kind+" "+s.Namespace+"/"+s.Name)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: bindings differ (-want +got):\n%s", way, diff)
		}
	}
}

// roles are Roles and ClusterRoles alike, told apart by their kind.
func roles(t *testing.T, objects []*unstructured.Unstructured) []rbacv1.ClusterRole {
	t.Helper()
	var found []rbacv1.ClusterRole
	for _, o := range objects {
		if o.GetKind() == "Role" || o.GetKind() == "ClusterRole" {
			found = append(found, into[rbacv1.ClusterRole](t, o))
		}
	}
	if len(found) < 5 {
		t.Fatalf("found %d roles, want at least 5", len(found))
	}
	return found
}

func rights(role rbacv1.ClusterRole) []right {
	var found []right
	for _, rule := range role.Rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					found = append(found, right{group, resource, verb})
				}
			}
		}
	}
	return found
}

func bindable(role rbacv1.ClusterRole) []string {
	var names []string
	for _, rule := range role.Rules {
		if slices.Contains(rule.Verbs, "bind") {
			names = append(names, rule.ResourceNames...)
			if len(rule.ResourceNames) == 0 {
				names = append(names, "all")
			}
		}
	}
	return names
}
