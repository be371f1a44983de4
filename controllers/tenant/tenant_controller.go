// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package tenant reconciles ChatTenants: it gathers every fact once, runs the phases in their order, and writes one
// status. See docs/architecture.md for the loop and docs/spec/chattenant.md for what each condition means.
package tenant

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/apply"
	"github.com/chattenant/chattenant/controllers/desired"
)

// Reconciler makes ChatTenants true.
type Reconciler struct {
	// Client reads from the cache and writes to the API server.
	Client client.Client
	// Live reads from the API server. It is asked for what is not worth a cache, and where the cache may be behind and an
	// old answer would do harm: what became of a tenant or its namespace, what a probe that ended said.
	Live client.Reader
	// Outside are addresses of the internet that isolation probes must not reach.
	Outside []netip.AddrPort
	// Applier writes the objects inside tenant namespaces.
	Applier *apply.Applier
	// Recorder tells users what changed.
	Recorder events.EventRecorder
	// Clock times transitions of conditions.
	Clock clock.PassiveClock
	// Random is where key-encryption keys come from.
	Random io.Reader
	// APIAudiences are the audiences of tokens that the API server takes, as far as they are known.
	APIAudiences []string
	// System says where the shared components are.
	System desired.System
	// PublicPort is the port under which the ingress gateway is reached from outside, 443 in production.
	PublicPort int32

	surroundings surroundings
}

// +kubebuilder:rbac:groups=chattenant.io,resources=chattenants,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=chattenant.io,resources=chattenants/status,verbs=patch
// +kubebuilder:rbac:groups=chattenant.io,resources=chattenants/finalizers,verbs=update

// Reconcile brings one tenant closer to its spec. Errors are retried with back-off; everything a user has to know is
// in the tenant's conditions.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	tenant := &v1alpha1.ChatTenant{}
	if err := r.Client.Get(ctx, req.NamespacedName, tenant); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if tenant.DeletionTimestamp.IsZero() && !controllerutil.ContainsFinalizer(tenant, v1alpha1.Finalizer) {
		return ctrl.Result{}, r.addFinalizer(ctx, tenant)
	}
	s, err := r.gather(ctx, tenant)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("gather the facts of %s: %w", tenant.Name, err)
	}
	return r.pass(ctx, s)
}

// pass runs what the tenant's state asks for, and writes the status whatever came of it.
func (r *Reconciler) pass(ctx context.Context, s *scope) (ctrl.Result, error) {
	var runErr error
	switch {
	case s.tenant.Spec.Reconciliation == v1alpha1.ReconciliationPaused:
		s.paused = true
		r.noticeWhilePaused(s)
	case !s.tenant.DeletionTimestamp.IsZero():
		runErr = r.teardown(ctx, s)
	default:
		runErr = r.run(ctx, s)
	}
	if s.gone {
		return settle(s, runErr)
	}
	runErr = errors.Join(runErr, r.verifyPlacement(ctx, s))
	statusErr := r.writeStatus(ctx, s)
	if statusErr == nil {
		// What is published is never ahead of what was written.
		statusErr = r.publishTrust(ctx, s)
	}
	return settle(s, errors.Join(runErr, statusErr))
}

// settle decides when the next pass is. A conflict means that the cache was behind: that is no error, and its own
// watch event may be past already.
func settle(s *scope, err error) (ctrl.Result, error) {
	switch {
	case err == nil:
		return ctrl.Result{RequeueAfter: s.requeueAfter}, nil
	case onlyConflicts(err):
		return ctrl.Result{RequeueAfter: soon}, nil
	}
	return ctrl.Result{}, fmt.Errorf("reconcile %s: %w", s.tenant.Name, err)
}

func onlyConflicts(err error) bool {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return apierrors.IsConflict(err)
	}
	return !slices.ContainsFunc(joined.Unwrap(), func(e error) bool { return !onlyConflicts(e) })
}

// addFinalizer is a write of its own, before anything is created that would have to be taken down.
func (r *Reconciler) addFinalizer(ctx context.Context, tenant *v1alpha1.ChatTenant) error {
	patched := tenant.DeepCopy()
	controllerutil.AddFinalizer(patched, v1alpha1.Finalizer)
	if err := r.patch(ctx, patched, tenant); err != nil {
		return fmt.Errorf("add finalizer to %s: %w", tenant.Name, err)
	}
	return nil
}

func (r *Reconciler) removeFinalizer(ctx context.Context, tenant *v1alpha1.ChatTenant) error {
	patched := tenant.DeepCopy()
	if !controllerutil.RemoveFinalizer(patched, v1alpha1.Finalizer) {
		return nil
	}
	if err := r.patch(ctx, patched, tenant); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("remove finalizer from %s: %w", tenant.Name, err)
	}
	logf.FromContext(ctx).Info("Tenant removed", "deletionPolicy", tenant.Spec.DeletionPolicy)
	return nil
}

// patch sends the difference and insists that nobody changed the object since it was read.
func (r *Reconciler) patch(ctx context.Context, changed, base *v1alpha1.ChatTenant) error {
	return r.Client.Patch(ctx, changed, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{}))
}

// soon is when a pass is repeated that waits for something no watch reports: rights that are still being granted.
const soon = 200 * time.Millisecond
