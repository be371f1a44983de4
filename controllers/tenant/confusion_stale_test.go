// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/apply"
	"github.com/chattenant/chattenant/controllers/desired"
)

// behind is an operator whose cache has a tenant that it already holds, and no longer hears of anything.
func behind(t *testing.T, name string) (*process, *v1alpha1.ChatTenant) {
	t.Helper()
	crashPlatform(t)
	log := startEventLog(t)
	tenant := newTenant(name)
	tenant.Finalizers = []string{v1alpha1.Finalizer}
	create(t, tenant)
	eventually(t, "the cache to know the tenant", func() string {
		log.mu.Lock()
		defer log.mu.Unlock()
		if log.objects[objectID{"ChatTenant", "", name}] == nil {
			return "not yet"
		}
		return ""
	})
	return startProcess(t, log, name, 1_000_000), tenant
}

// vanish deletes a tenant as another operator would have, finalizer and all.
func vanish(t *testing.T, tenant *v1alpha1.ChatTenant) {
	t.Helper()
	let := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
	if err := admin.Patch(t.Context(), tenant, let); err != nil {
		t.Fatal(err)
	}
	if err := admin.Delete(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
}

func wantNoNamespace(t *testing.T, tenant string) {
	t.Helper()
	ns := &corev1.Namespace{}
	err := admin.Get(t.Context(), client.ObjectKey{Name: naming.Namespace(tenant)}, ns)
	if !apierrors.IsNotFound(err) && (err != nil || ns.DeletionTimestamp.IsZero()) {
		t.Errorf("the namespace of a tenant that is gone is there: %v", err)
	}
}

func TestAnOperatorThatSleptThroughADeletionMakesNoNamespace(t *testing.T) {
	slow, tenant := behind(t, "slept-through")
	vanish(t, tenant)
	result, err := slow.reconciler.Reconcile(t.Context(), request(tenant.Name))
	if err != nil || result.RequeueAfter == 0 {
		t.Errorf("want another pass once the cache knows, got %v, %v", result, err)
	}
	// Its status is refused as well: what it was of is gone.
	if slow.wire.writes > 1 {
		t.Errorf("it wrote %d times", slow.wire.writes)
	}
	wantNoNamespace(t, tenant.Name)
}

// TestANamespaceThatCameTooLateGoesAgain puts the operator to sleep between its question and its write.
func TestANamespaceThatCameTooLateGoesAgain(t *testing.T) {
	slow, tenant := behind(t, "too-late")
	slow.wire.at, slow.wire.fault = 1, func(w *wire, r *http.Request) (*http.Response, error) {
		vanish(t, tenant)
		return w.send(r)
	}
	if _, err := slow.reconciler.Reconcile(t.Context(), request(tenant.Name)); err != nil {
		t.Error(err)
	}
	if !slow.wire.met {
		t.Fatal("nothing was written, so this shows nothing")
	}
	wantNoNamespace(t, tenant.Name)
}

// TestATenantDoesNotGoBeforeANamespaceThatTheCacheHasNotSeen: it would stay, and everything in it.
func TestATenantDoesNotGoBeforeANamespaceThatTheCacheHasNotSeen(t *testing.T) {
	slow, tenant := behind(t, "unseen")
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:        naming.Namespace(tenant.Name),
		Labels:      map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelTenant: tenant.Name},
		Annotations: map[string]string{v1alpha1.AnnotationTenantUID: string(tenant.UID)},
	}})
	if err := admin.Delete(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	deleted := liveTenant(t, tenant.Name)
	slow.view.log.mu.Lock()
	slow.view.objects[objectID{"ChatTenant", "", tenant.Name}] = deleted
	slow.view.log.mu.Unlock()
	if _, err := slow.reconciler.Reconcile(t.Context(), request(tenant.Name)); err != nil {
		t.Error(err)
	}
	live := liveTenant(t, tenant.Name)
	if len(live.Finalizers) == 0 {
		t.Error("the tenant was let go")
	}
	if ready := meta.FindStatusCondition(live.Status.Conditions, v1alpha1.ConditionReady); ready != nil &&
		ready.Status == metav1.ConditionTrue {
		t.Error("a tenant on its way out says that it is ready")
	}
}

// TestANamespaceThatSomebodyMadeMeanwhileIsNotAdopted: the operator creates and does not apply what it does not know.
func TestANamespaceThatSomebodyMadeMeanwhileIsNotAdopted(t *testing.T) {
	slow, tenant := behind(t, "meanwhile")
	foreign := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: naming.Namespace(tenant.Name), Labels: map[string]string{"owner": "someone"}}}
	create(t, foreign)
	if _, err := slow.reconciler.Reconcile(t.Context(), request(tenant.Name)); err != nil {
		t.Error(err)
	}
	live := &corev1.Namespace{}
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(foreign), live); err != nil {
		t.Fatal(err)
	}
	if live.ResourceVersion != foreign.ResourceVersion {
		t.Errorf("the foreign namespace was changed: %v %v", live.Labels, live.Annotations)
	}
}

// TestADecisionOfTheDayBeforeDoesNotUndoARetention: what an operator that slept believes of a namespace is no reason to
// write it.
func TestADecisionOfTheDayBeforeDoesNotUndoARetention(t *testing.T) {
	slow, tenant := behind(t, "undone")
	if _, err := slow.reconciler.Reconcile(t.Context(), request(tenant.Name)); err != nil {
		t.Fatal(err)
	}
	ns := &corev1.Namespace{}
	key := client.ObjectKey{Name: naming.Namespace(tenant.Name)}
	if err := admin.Get(t.Context(), key, ns); err != nil {
		t.Fatal(err)
	}
	slow.view.log.mu.Lock()
	slow.view.objects[objectID{"Namespace", "", ns.Name}] = ns.DeepCopy()
	slow.view.log.mu.Unlock()
	retained := client.RawPatch("application/merge-patch+json",
		[]byte(`{"metadata":{"labels":{"`+v1alpha1.LabelState+`":"retained"}}}`))
	if err := admin.Patch(t.Context(), ns, retained, client.FieldOwner("chattenant")); err != nil {
		t.Fatal(err)
	}
	_, _ = slow.reconciler.Reconcile(t.Context(), request(tenant.Name))
	if err := admin.Get(t.Context(), key, ns); err != nil {
		t.Fatal(err)
	}
	if ns.Labels[v1alpha1.LabelState] != v1alpha1.StateRetained {
		t.Error("the namespace is not retained any more")
	}
}

// TestATenantOnItsWayOutIsNotReadyWhileARequestFails loses every request that would remove its workloads.
func TestATenantOnItsWayOutIsNotReadyWhileARequestFails(t *testing.T) {
	platform(t)
	var armed atomic.Bool
	startOperatorWith(t, func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			if armed.Load() && r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/deployments/") {
				return nil, errors.New("lost on purpose")
			}
			return next.RoundTrip(r)
		})
	})
	tenant := newTenant("going")
	create(t, tenant)
	report(t, tenant.Name)
	wantCondition(t, tenant.Name, v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	armed.Store(true)
	if err := admin.Delete(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	wantCondition(t, tenant.Name, v1alpha1.ConditionDeleting, v1alpha1.ReasonRemoving)
	wantFalse(t, tenant.Name, v1alpha1.ConditionReady, v1alpha1.ReasonRemoving, "")
	armed.Store(false)
	eventually(t, "the tenant to go", func() string {
		if err := admin.Get(t.Context(), client.ObjectKeyFromObject(tenant), tenant); apierrors.IsNotFound(err) {
			return ""
		}
		return story(t, tenant.Name)
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestATenantIsDeletedThoughItsBindingIsMissing: it was deleted while it was made, or somebody removed the binding.
func TestATenantIsDeletedThoughItsBindingIsMissing(t *testing.T) {
	startOperator(t)
	platform(t)
	tenant := newTenant("unbound")
	create(t, tenant)
	report(t, tenant.Name)
	wantCondition(t, tenant.Name, v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	change(t, tenant.Name, func(s *v1alpha1.ChatTenantSpec) { s.Reconciliation = v1alpha1.ReconciliationPaused })
	wantCondition(t, tenant.Name, v1alpha1.ConditionPaused, v1alpha1.ReasonPausedBySpec)
	binding := *desired.OperatorBinding(desired.Input{Tenant: tenant}).GetName()
	if err := admin.Delete(t.Context(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{
		Namespace: naming.Namespace(tenant.Name), Name: binding}}); err != nil {
		t.Fatal(err)
	}
	if err := admin.Delete(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	change(t, tenant.Name, func(s *v1alpha1.ChatTenantSpec) { s.Reconciliation = v1alpha1.ReconciliationActive })
	eventually(t, "the tenant to go", func() string {
		if err := admin.Get(t.Context(), client.ObjectKeyFromObject(tenant), tenant); apierrors.IsNotFound(err) {
			return ""
		}
		return story(t, tenant.Name)
	})
}

// TestWhatWasReplacedIsNotWritten: what bears an object's name now may be another tenant's.
func TestWhatWasReplacedIsNotWritten(t *testing.T) {
	platform(t)
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "chat-replaced"}})
	replaced := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "chat-replaced", Name: "settings"},
		Data: map[string]string{"of": "the next tenant"}}
	create(t, replaced)
	before := replaced.DeepCopy()
	before.UID = "11111111-2222-3333-4444-555555555555"
	applier := &apply.Applier{Reader: remembering{admin, before}, Writer: admin}
	_, err := applier.Apply(t.Context(), corev1ac.ConfigMap("settings", "chat-replaced").
		WithData(map[string]string{"of": "the tenant before"}))
	if !apierrors.IsConflict(err) {
		t.Errorf("want a conflict, got %v", err)
	}
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(replaced), replaced); err != nil {
		t.Fatal(err)
	}
	if replaced.Data["of"] != "the next tenant" {
		t.Errorf("it was written: %v", replaced.Data)
	}
}

// remembering is a cache that has one object, as it was.
type remembering struct {
	client.Reader

	object *corev1.ConfigMap
}

func (r remembering) Get(_ context.Context, _ client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	if into, ok := o.(*corev1.ConfigMap); ok {
		r.object.DeepCopyInto(into)
	}
	return nil
}

// TestALabelOfTheNamespaceIsTakenBack: what the operator made by creating it would stay for ever.
func TestALabelOfTheNamespaceIsTakenBack(t *testing.T) {
	platform(t)
	ns := func() *corev1ac.NamespaceApplyConfiguration { return corev1ac.Namespace("chat-taken-back") }
	applier := &apply.Applier{Reader: stripped{admin}, Writer: admin}
	if err := applier.CreateNamespace(t.Context(), ns().WithLabels(map[string]string{"a": "b"})); err != nil {
		t.Fatal(err)
	}
	if _, err := applier.Apply(t.Context(), ns()); err != nil {
		t.Fatal(err)
	}
	live := &corev1.Namespace{}
	if err := admin.Get(t.Context(), client.ObjectKey{Name: "chat-taken-back"}, live); err != nil {
		t.Fatal(err)
	}
	if live.Labels["a"] != "" {
		t.Errorf("the label is still there: %v", live.Labels)
	}
}
