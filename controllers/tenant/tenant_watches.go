// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"fmt"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/apply"
	"github.com/chattenant/chattenant/controllers/policy"
)

// Indexes of ChatTenants, by what they refer to.
const (
	indexHost   = "spec.endpoint.host"
	indexClass  = "spec.className"
	indexRegion = "spec.region"
)

// indexClassIssuer finds the classes that name an issuer, indexPodNode the pods on a node.
const (
	indexClassIssuer = "spec.issuerRef.name"
	indexPodNode     = "spec.nodeName"
	// indexClassRuntime finds the classes that name a RuntimeClass.
	indexClassRuntime = "spec.isolation.runtimeClassName"
)

// SetupWithManager registers the controller, its indexes and its watches. Workers is the number of tenants that are
// worked on at the same time.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager, workers int) error {
	if err := addIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	b := ctrl.NewControllerManagedBy(mgr).Named("chattenant").
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		// The tenant itself. Its status is the operator's own doing and no reason for another pass.
		For(&v1alpha1.ChatTenant{}, builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, deletionRequested()))).
		// The older tenant of two that claim a host may have let it go.
		Watches(&v1alpha1.ChatTenant{}, r.tenantsBy(indexHost, hostOf),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		// What a tenant is built from.
		Watches(&v1alpha1.ChatTenantClass{}, r.tenantsBy(indexClass, client.Object.GetName)).
		Watches(&v1alpha1.DataRegion{}, r.tenantsBy(indexRegion, client.Object.GetName)).
		Watches(&cmv1.ClusterIssuer{}, handler.EnqueueRequestsFromMapFunc(r.tenantsOfIssuer)).
		// Recipients are reached, or not any more, by what their records say.
		Watches(&v1alpha1.SubProcessor{}, handler.EnqueueRequestsFromMapFunc(r.tenantsOfRecipient),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		// What runs for it: readiness, schedulability and places change without the objects above.
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(tenantOfNamespaced)).
		Watches(&batchv1.Job{}, handler.EnqueueRequestsFromMapFunc(tenantOfNamespaced)).
		Watches(&corev1.PersistentVolumeClaim{}, handler.EnqueueRequestsFromMapFunc(tenantOfNamespaced)).
		Watches(&corev1.PersistentVolume{}, handler.EnqueueRequestsFromMapFunc(tenantOfVolume)).
		// A node that loses a region's label takes the tenants on it, and the volumes on it, out of their region.
		Watches(&corev1.Node{}, handler.EnqueueRequestsFromMapFunc(r.tenantsOfNode), builder.WithPredicates(nodeMoved())).
		// A pod of another tenant may have come to a dedicated node.
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(r.tenantOfPodsNode), builder.WithPredicates(podPlaced())).
		// Without its RuntimeClass no pod of a class starts.
		Watches(&nodev1.RuntimeClass{}, handler.EnqueueRequestsFromMapFunc(r.tenantsOfRuntimeClass),
			builder.WithPredicates(existence()))
	// Everything the operator applies: a hand edit or a deletion is repaired.
	for _, kind := range apply.Kinds() {
		if _, cluster := kind.(*corev1.Namespace); cluster {
			b = b.Watches(kind, handler.EnqueueRequestsFromMapFunc(tenantOfNamespace))
			continue
		}
		b = b.Watches(kind, handler.EnqueueRequestsFromMapFunc(tenantOfNamespaced), builder.WithPredicates(relevant()))
	}
	if err := b.Complete(r); err != nil {
		return fmt.Errorf("set up controller: %w", err)
	}
	return nil
}

// deletionRequested lets the request to delete through, which changes no generation on every API server.
func deletionRequested() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero() ||
			len(e.ObjectOld.GetFinalizers()) != len(e.ObjectNew.GetFinalizers())
	}}
}

// relevant leaves out updates of managed objects that change nothing a phase looks at.
func relevant() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return hasStatus(e.ObjectNew) || apply.Digest(e.ObjectOld) != apply.Digest(e.ObjectNew) ||
			apply.Digest(e.ObjectNew) == ""
	}}
}

func hasStatus(o client.Object) bool {
	switch o.(type) {
	case *appsv1.Deployment, *appsv1.StatefulSet, *cmv1.Certificate, *corev1.Service:
		return true
	}
	return false
}

func addIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, index := range []struct {
		object  client.Object
		field   string
		extract client.IndexerFunc
	}{
		{&v1alpha1.ChatTenant{}, indexHost, one(func(t *v1alpha1.ChatTenant) string { return t.Spec.Endpoint.Host })},
		{&v1alpha1.ChatTenant{}, indexClass, one(func(t *v1alpha1.ChatTenant) string { return t.Spec.ClassName })},
		{&v1alpha1.ChatTenant{}, indexRegion, one(func(t *v1alpha1.ChatTenant) string { return t.Spec.Region })},
		{&v1alpha1.ChatTenantClass{}, indexClassIssuer,
			one(func(c *v1alpha1.ChatTenantClass) string { return c.Spec.IssuerRef.Name })},
		{&v1alpha1.ChatTenant{}, indexRecipient, recipientsOf},
		{&v1alpha1.SubProcessor{}, indexParent, parentOf},
		{&v1alpha1.ChatTenantClass{}, indexClassRuntime, one(policy.RuntimeClassName)},
		{&corev1.Pod{}, indexPodNode, one(func(p *corev1.Pod) string { return p.Spec.NodeName })},
	} {
		if err := indexer.IndexField(ctx, index.object, index.field, index.extract); err != nil {
			return fmt.Errorf("index %T by %s: %w", index.object, index.field, err)
		}
	}
	return nil
}

func one[P client.Object](value func(P) string) client.IndexerFunc {
	return func(o client.Object) []string {
		typed, ok := o.(P)
		if !ok {
			return nil
		}
		return []string{value(typed)}
	}
}

func hostOf(o client.Object) string {
	if t, ok := o.(*v1alpha1.ChatTenant); ok {
		return t.Spec.Endpoint.Host
	}
	return ""
}

func request(tenant string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Name: tenant}}
}

// tenantsBy asks for a pass over every tenant that an index finds under an object's value.
func (r *Reconciler) tenantsBy(index string, value func(client.Object) string) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
		return r.listTenants(ctx, index, value(o))
	})
}

func (r *Reconciler) listTenants(ctx context.Context, index, value string) []reconcile.Request {
	tenants := &v1alpha1.ChatTenantList{}
	if err := r.Client.List(ctx, tenants, client.MatchingFields{index: value}); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "List tenants for a watch", "index", index)
		return nil
	}
	requests := make([]reconcile.Request, len(tenants.Items))
	for i := range tenants.Items {
		requests[i] = request(tenants.Items[i].Name)
	}
	return requests
}

func (r *Reconciler) tenantsOfIssuer(ctx context.Context, o client.Object) []reconcile.Request {
	return r.tenantsOfClasses(ctx, indexClassIssuer, o.GetName())
}

func (r *Reconciler) tenantsOfRuntimeClass(ctx context.Context, o client.Object) []reconcile.Request {
	return r.tenantsOfClasses(ctx, indexClassRuntime, o.GetName())
}

// tenantsOfClasses asks for a pass over every tenant of the classes that an index finds.
func (r *Reconciler) tenantsOfClasses(ctx context.Context, index, value string) []reconcile.Request {
	classes := &v1alpha1.ChatTenantClassList{}
	if err := r.Client.List(ctx, classes, client.MatchingFields{index: value}); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "List classes for a watch", "index", index)
		return nil
	}
	var requests []reconcile.Request
	for i := range classes.Items {
		requests = append(requests, r.listTenants(ctx, indexClass, classes.Items[i].Name)...)
	}
	return requests
}

func tenantOfNamespaced(_ context.Context, o client.Object) []reconcile.Request {
	return tenantOf(o.GetNamespace())
}

func tenantOfNamespace(_ context.Context, o client.Object) []reconcile.Request {
	return tenantOf(o.GetName())
}

func tenantOfVolume(_ context.Context, o client.Object) []reconcile.Request {
	if v, ok := o.(*corev1.PersistentVolume); ok && v.Spec.ClaimRef != nil {
		return tenantOf(v.Spec.ClaimRef.Namespace)
	}
	return nil
}

func tenantOf(namespace string) []reconcile.Request {
	if tenant, ok := naming.TenantOf(namespace); ok {
		return []reconcile.Request{request(tenant)}
	}
	return nil
}
