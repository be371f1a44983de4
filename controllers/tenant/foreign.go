// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/desired"
)

// What others put into a tenant's namespace under our names is either written over, or it must not be used at all:
// Secrets, because the operator cannot see what is in them, and volumes, because what is on them would become the
// tenant's. Admission keeps them away; what is here holds where admission is out of force.

// foreignPause is when the operator looks again whether a Secret or a claim that is not its own is gone.
const foreignPause = time.Minute

// adopting says whether the tenant takes up what an earlier one left, which is there before the tenant is.
func adopting(s *scope) bool { return s.tenant.Spec.AdoptUID != "" }

// foreignSecret answers an outcome where there is a Secret of that name. The operator may not read Secrets, but one
// that is there cannot be made: it asks whether it could.
func (r *Reconciler) foreignSecret(ctx context.Context, s *scope, name string) (*outcome, error) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace(), Name: name}}
	err := r.Client.Create(ctx, secret, client.DryRunAll)
	if apierrors.IsAlreadyExists(err) {
		s.requeue(foreignPause) // nobody watches Secrets
		return notOurs(s, "secret", name), nil
	}
	if err != nil {
		return nil, fmt.Errorf("ask for secret %s/%s: %w", s.namespace(), name, err)
	}
	return nil, nil //nolint:nilnil // nil is the answer to "is there one", as documented.
}

func notOurs(s *scope, kind, name string) *outcome {
	return &outcome{stalled, v1alpha1.ReasonObjectNotOurs, fmt.Sprintf(
		"There is a %s %q in namespace %s that was not made for this tenant; it is neither used nor changed. Find out who "+
			"made it, and only if nobody needs what is in it, remove it: kubectl -n %[3]s delete %[1]s %[2]s",
		kind, name, s.namespace())}
}

// foreignCertificateSecret finds a Secret in the place of one that cert-manager is to fill, before the Certificate
// exists: cert-manager keeps a key that it finds, and whoever put it there has it too.
func (r *Reconciler) foreignCertificateSecret(
	ctx context.Context, s *scope, intents []desired.Object,
) (*outcome, error) {
	for _, intent := range intents {
		name := *intent.GetName()
		if *intent.GetKind() != cmv1.CertificateKind || s.certificates[name] != nil {
			continue
		}
		foreign, err := r.foreignSecret(ctx, s, name)
		if foreign == nil && err == nil {
			continue
		}
		// The cache may be behind.
		if ours, findErr := find[cmv1.Certificate](ctx, r.Live, s.namespace(), name); ours != nil || findErr != nil {
			return nil, findErr
		}
		return foreign, err
	}
	return nil, nil //nolint:nilnil // nil is the answer to "is there one", as documented.
}

// foreignClaim finds a volume claim in the place of the database's, before its StatefulSet exists: the StatefulSet
// would use it, with whatever is on it.
func (r *Reconciler) foreignClaim(ctx context.Context, s *scope) (*outcome, error) {
	claim, err := find[corev1.PersistentVolumeClaim](ctx, r.Live, s.namespace(), desired.DatabaseClaim)
	if claim == nil || err != nil {
		return nil, err
	}
	// The cache may be behind.
	ours, err := find[appsv1.StatefulSet](ctx, r.Live, s.namespace(), naming.Postgres)
	if ours != nil || err != nil {
		return nil, err
	}
	s.requeue(foreignPause) // a claim without our label is not watched
	return notOurs(s, "persistentvolumeclaim", claim.Name), nil
}

// foreignVolume finds a volume that was made for the database's claim before there was one: Kubernetes would join the
// two, with whatever is on the volume. One that an earlier claim of that name left behind bears that claim's UID, and
// is joined with no other.
func (r *Reconciler) foreignVolume(ctx context.Context, s *scope) (*outcome, error) {
	volumes := &corev1.PersistentVolumeList{}
	if err := r.Client.List(ctx, volumes); err != nil {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	for i := range volumes.Items {
		volume := &volumes.Items[i]
		ref := volume.Spec.ClaimRef
		if ref == nil || ref.Namespace != s.namespace() || ref.Name != desired.DatabaseClaim || ref.UID != "" {
			continue
		}
		return &outcome{stalled, v1alpha1.ReasonObjectNotOurs, fmt.Sprintf(
			"PersistentVolume %q was made for the claim of this tenant's database before there was one; it is not used. Find "+
				"out who made it, then delete it or take its claimRef away. Retained data is taken up with spec.adoptUID",
			volume.Name)}, nil
	}
	return nil, nil //nolint:nilnil // nil is the answer to "is there one", as documented.
}

// unmade are the reasons of a condition whose phase has not applied anything yet.
var unmade = []string{
	v1alpha1.ReasonNotEvaluated, v1alpha1.ReasonInternalError, v1alpha1.ReasonProgressing, v1alpha1.ReasonObjectNotOurs,
}

// fresh says whether a phase makes its objects for the first time. What somebody deletes later leaves things behind
// that are the tenant's own.
func (s *scope) fresh(condition string) bool {
	known := meta.FindStatusCondition(s.tenant.Status.Conditions, condition)
	return !adopting(s) && (known == nil || slices.Contains(unmade, known.Reason))
}

// refused says which object the API server does not let the operator change. It was made with something that can never
// be changed, by somebody else.
func refused(err error) (string, bool) {
	var status apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return "", false
	}
	details := status.Status().Details
	return strings.ToLower(details.Kind) + " " + details.Name, details.Kind != ""
}
