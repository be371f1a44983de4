// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
)

// identity is somebody as the API server knows them.
type identity struct {
	client.Client
	user   string
	groups []string
}

// cast is who tries what a benchmark forbids.
type cast struct {
	// accounts are those of acme's namespace, which its pods run under.
	accounts []*identity
	// admin is bound to ClusterRole admin in acme's namespace, as the benchmarks mean a tenant's administrator. The
	// product gives nobody such a binding.
	admin    *identity
	operator *identity
	// controller makes pods of templates, claims the other one: what the operator and others write leads through them.
	controller, claimer *identity
}

// claims is who makes the claims of StatefulSets.
const claims = "system:serviceaccount:kube-system:statefulset-controller"

func newCast(t *testing.T) *cast {
	t.Helper()
	namespace := naming.Namespace(acme)
	// They come and go, and take their part of the quota.
	eventually(t, probePatience, "nobody probes "+acme, func(ctx context.Context) error {
		return live.noProbes(ctx, client.InNamespace(namespace))
	})
	admin := ownPrefix + "tenant-admin"
	anew(t, &rbacv1.RoleBinding{
		ObjectMeta: object(namespace, "tenant-admin"),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: admin}},
	})
	found := &corev1.ServiceAccountList{}
	if err := live.List(t.Context(), found, client.InNamespace(namespace)); err != nil || len(found.Items) < 4 {
		t.Fatalf("%d accounts in %s, error %v", len(found.Items), namespace, err)
	}
	c := &cast{
		admin:    newIdentity(t, admin, "system:authenticated"),
		operator: newAccount(t, systemNamespace, operatorAccount), controller: newIdentity(t, replicaSets),
		claimer: newIdentity(t, claims),
	}
	for i := range found.Items {
		c.accounts = append(c.accounts, newAccount(t, namespace, found.Items[i].Name))
	}
	// The API server learns of the binding through a watch.
	eventually(t, patience, "the administrator has rights", func(ctx context.Context) error {
		return c.admin.List(ctx, &corev1.PodList{}, client.InNamespace(namespace))
	})
	return c
}

// anew makes something for the time of the test in the place of what a killed run left.
func anew(t *testing.T, o client.Object) {
	t.Helper()
	if err := live.Delete(t.Context(), copied(o)); ignoreNotFound(err) != nil {
		t.Fatalf("remove %T %s: %v", o, o.GetName(), err)
	}
	temporarily(t, o)
}

func newAccount(t *testing.T, namespace, name string) *identity {
	t.Helper()
	return newIdentity(t, "system:serviceaccount:"+namespace+":"+name,
		"system:serviceaccounts", "system:serviceaccounts:"+namespace, "system:authenticated")
}

func newIdentity(t *testing.T, user string, groups ...string) *identity {
	t.Helper()
	config := rest.CopyConfig(live.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
	c, err := client.New(config, client.Options{Scheme: live.Scheme(), Mapper: live.RESTMapper()})
	if err != nil {
		t.Fatalf("act as %s: %v", user, err)
	}
	return &identity{c, user, groups}
}

// may asks the API server whether somebody has a right.
func (i *identity) may(ctx context.Context, right authorizationv1.ResourceAttributes) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: i.user, Groups: i.groups, ResourceAttributes: &right,
	}}
	err := live.Create(ctx, review)
	return review.Status.Allowed, err
}

// trial is a benchmark under way, with its line of the report.
type trial struct {
	*cast
	row *row
}

// refuser is a part of the message that tells who refused.
type refuser string

const (
	byRBAC        refuser = " cannot "
	byEscalation  refuser = "attempting to grant RBAC permissions not currently held"
	byPodSecurity refuser = `violates PodSecurity "restricted:`
	byQuota       refuser = "exceeded quota: tenant"
	byLimits      refuser = "usage per Container is"
	byAnybody     refuser = ""
)

// byPolicy is an admission policy.
func byPolicy(name string) refuser { return refuser("ValidatingAdmissionPolicy '" + name + "'") }

// deed is something that can be tried in anybody's name without leaving anything behind.
type deed func(ctx context.Context, c client.Client) error

func making(o client.Object) deed {
	return func(ctx context.Context, c client.Client) error { return c.Create(ctx, copied(o), client.DryRunAll) }
}

// changing is a merge patch.
func changing(o client.Object, patch string) deed {
	return func(ctx context.Context, c client.Client) error {
		return c.Patch(ctx, copied(o), client.RawPatch(types.MergePatchType, []byte(patch)), client.DryRunAll)
	}
}

func removing(o client.Object) deed {
	return func(ctx context.Context, c client.Client) error { return c.Delete(ctx, copied(o), client.DryRunAll) }
}

func removingAll(o client.Object, namespace string) deed {
	return func(ctx context.Context, c client.Client) error {
		return c.DeleteAllOf(ctx, copied(o), client.InNamespace(namespace), client.DryRunAll)
	}
}

// copied is a copy, because the answer is written into what was sent.
func copied(o client.Object) client.Object {
	o, is := o.DeepCopyObject().(client.Object)
	if !is {
		panic("a copy of an object is an object")
	}
	return o
}

// refused holds a deed to a refusal by somebody.
func (tr *trial) refused(t *testing.T, who *identity, what string, do deed, by refuser) {
	t.Helper()
	err := do(t.Context(), who)
	if apierrors.IsForbidden(err) && strings.Contains(err.Error(), string(by)) {
		tr.row.refused("")
		return
	}
	tr.row.otherwise("")
	t.Errorf("%s by %s: want a refusal with %q, got: %v", what, who.user, by, err)
}

// allowed shows that a refusal of something else is no accident.
func (tr *trial) allowed(t *testing.T, who *identity, what string, do deed) {
	t.Helper()
	if err := do(t.Context(), who); err != nil {
		tr.row.otherwise("")
		t.Errorf("%s by %s: %v", what, who.user, err)
		return
	}
	tr.row.opened("")
}

// refusedToAll tries a deed as everybody in the namespace: its accounts have no rights at all.
func (tr *trial) refusedToAll(t *testing.T, what string, do deed, operator, admin refuser) {
	t.Helper()
	for _, account := range tr.accounts {
		tr.refused(t, account, what, do, byRBAC)
	}
	tr.refused(t, tr.operator, what, do, operator)
	tr.refused(t, tr.admin, what, do, admin)
}
