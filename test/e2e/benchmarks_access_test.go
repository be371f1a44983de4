// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// questionsAtOnce is how many rights are asked for at the same time.
const questionsAtOnce = 32

// aboutOneself are what every account may ask of the API server: what it may do, and who it is.
var aboutOneself = []string{"selfsubjectreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews"}

// allVerbs are those of the benchmarks.
var allVerbs = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}

func noClusterResources(t *testing.T, tr *trial) {
	resources := served(t, false)
	tr.hasRight(t, tr.operator, right("list", schema.GroupResource{Resource: "nodes"}, ""))
	for _, who := range append(slices.Clone(tr.accounts), tr.admin) {
		tr.noRights(t, who, "", resources, allVerbs)
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodesIn(t, "")[0]}}
	tr.refusedToAll(t, "relabel a node", changing(node, `{"metadata":{"labels":{"e2e":""}}}`), byRBAC, byRBAC)
	tr.refusedToAll(t, "make a namespace", making(&corev1.Namespace{ObjectMeta: object("", "grab")}),
		byPolicy(policyReach), byRBAC)
}

// nothingOfAnotherTenant asks also for the product's own namespace and the cluster's.
func nothingOfAnotherTenant(t *testing.T, tr *trial) {
	resources := served(t, true)
	tr.hasRight(t, tr.admin, right("list", schema.GroupResource{Resource: "secrets"}, naming.Namespace(acme)))
	for _, who := range tr.accounts {
		tr.noRights(t, who, naming.Namespace(globex), resources, allVerbs)
	}
	for _, namespace := range []string{naming.Namespace(globex), systemNamespace, metav1.NamespaceSystem} {
		tr.noRights(t, tr.admin, namespace, resources, allVerbs)
	}
}

// served are all resources and subresources that the API server knows.
func served(t *testing.T, namespaced bool) []schema.GroupResource {
	t.Helper()
	_, lists, err := live.kube.Discovery().ServerGroupsAndResources()
	if err != nil {
		t.Fatalf("list kinds: %v", err)
	}
	found := map[schema.GroupResource]bool{}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			t.Fatal(err)
		}
		for _, resource := range list.APIResources {
			if resource.Namespaced == namespaced && !slices.Contains(aboutOneself, resource.Name) {
				found[schema.GroupResource{Group: version.Group, Resource: resource.Name}] = true
			}
		}
	}
	if len(found) < 30 {
		t.Fatalf("only %d resources", len(found))
	}
	all := make([]schema.GroupResource, 0, len(found))
	for resource := range found {
		all = append(all, resource)
	}
	return all
}

// noRights asks for every verb on every resource, and wants a no.
func (tr *trial) noRights(
	t *testing.T, who *identity, namespace string, resources []schema.GroupResource, verbs []string,
) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(questionsAtOnce)
	for _, resource := range resources {
		for _, verb := range verbs {
			group.Go(func() error { return tr.noRight(ctx, t, who, right(verb, resource, namespace)) })
		}
	}
	if err := group.Wait(); err != nil {
		t.Fatalf("ask for rights of %s: %v", who.user, err)
	}
}

func (tr *trial) noRight(
	ctx context.Context, t *testing.T, who *identity, asked authorizationv1.ResourceAttributes,
) error {
	t.Helper()
	allowed, err := who.may(ctx, asked)
	if err != nil {
		return err
	}
	if !allowed {
		tr.row.refused("")
		return nil
	}
	tr.row.otherwise("")
	t.Errorf("%s may %s %s/%s in namespace %q", who.user, asked.Verb, asked.Resource, asked.Subresource, asked.Namespace)
	return nil
}

// hasRight shows that questions are asked so that there is a yes.
func (tr *trial) hasRight(t *testing.T, who *identity, asked authorizationv1.ResourceAttributes) {
	t.Helper()
	allowed, err := who.may(t.Context(), asked)
	if err != nil || !allowed {
		tr.row.otherwise("")
		t.Fatalf("%s may not %s %s (%v): what follows proves nothing", who.user, asked.Verb, asked.Resource, err)
	}
	tr.row.opened("")
}

func right(verb string, resource schema.GroupResource, namespace string) authorizationv1.ResourceAttributes {
	name, subresource, _ := strings.Cut(resource.Resource, "/")
	return authorizationv1.ResourceAttributes{
		Verb: verb, Group: resource.Group, Resource: name, Subresource: subresource, Namespace: namespace,
	}
}

// nothingManagedIsChanged tries every object that the operator made for the tenant. Whoever has the right may end a
// pod, as a drain does, and gets another.
func nothingManagedIsChanged(t *testing.T, tr *trial) {
	namespace := naming.Namespace(acme)
	all, err := live.everything(t.Context(), namespace, true)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for i := range all {
		o := &all[i]
		if o.Labels[v1alpha1.LabelManagedBy] != v1alpha1.ManagedBy {
			continue
		}
		found++
		what := o.Kind + " " + o.Name
		o.ManagedFields = nil
		annotate := changing(o, `{"metadata":{"annotations":{"e2e":"x"}}}`)
		tr.refused(t, tr.accounts[0], "annotate "+what, annotate, byRBAC)
		tr.refused(t, tr.admin, "annotate "+what, annotate, byAnybody)
		if o.Kind != "Pod" {
			tr.refused(t, tr.admin, "delete "+what, removing(o), byAnybody)
		}
	}
	if found < 20 {
		t.Errorf("only %d objects are the operator's", found)
	}
}

func noRoleGrows(t *testing.T, tr *trial) {
	namespace := naming.Namespace(acme)
	rbac := func(resource string) schema.GroupResource {
		return schema.GroupResource{Group: rbacv1.GroupName, Resource: resource}
	}
	for _, who := range append(slices.Clone(tr.accounts), tr.admin) {
		for _, in := range []string{"", namespace} {
			tr.noRights(t, who, in, []schema.GroupResource{rbac("roles"), rbac("clusterroles")}, []string{"escalate", "bind"})
			tr.noRights(t, who, in, []schema.GroupResource{{Resource: "users"}, {Resource: "groups"}}, []string{"impersonate"})
		}
	}
	more := &rbacv1.Role{ObjectMeta: object(namespace, "more"), Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"resourcequotas"}, Verbs: []string{"patch"}},
	}}
	tr.refusedToAll(t, "make a role of more rights", making(more), byRBAC, byEscalation)
	for _, role := range []string{"cluster-admin", "chattenant-tenant"} {
		grab := binding(namespace)
		grab.RoleRef.Name = role
		grab.Subjects = []rbacv1.Subject{{Kind: "ServiceAccount", Name: naming.ChatServer, Namespace: namespace}}
		tr.refusedToAll(t, "bind "+role, making(grab), byAnybody, byEscalation)
	}
	everywhere := &rbacv1.ClusterRoleBinding{
		ObjectMeta: object("", "grab"),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: naming.ChatServer, Namespace: namespace}},
	}
	tr.refusedToAll(t, "bind a role in the whole cluster", making(everywhere), byRBAC, byRBAC)
}
