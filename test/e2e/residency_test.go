// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// statefulSets makes the claims of a cluster, a tenant's among them.
const statefulSets = "system:serviceaccount:kube-system:statefulset-controller"

// european is a tenant that may be in the European Union only.
func european(name string) *v1alpha1.ChatTenant {
	tenant := newTenant(name)
	tenant.Spec.Residency = &v1alpha1.Residency{Jurisdictions: []v1alpha1.Jurisdiction{"EU"}}
	return tenant
}

// american is a recipient that no European tenant may have.
func american(t *testing.T, name string) {
	t.Helper()
	recipient := recipientAt(name+".example", 443)
	recipient.Spec.Locations = []v1alpha1.Jurisdiction{"US"}
	temporarily(t, recipient)
}

func TestAResidencyThatContradictsItselfIsRefusedAtAdmission(t *testing.T) {
	t.Run("region", func(t *testing.T) {
		r := record(t, sectionResidency, "a tenant whose region is outside its jurisdictions")
		tenant := european("abroad")
		tenant.Spec.Region = "us-east"
		r.mustRefuse(t, policyResidency, live.Create(t.Context(), tenant, client.DryRunAll))
		narrowed := getTenant(t, acme)
		before := narrowed.DeepCopy()
		narrowed.Spec.Residency = &v1alpha1.Residency{Jurisdictions: []v1alpha1.Jurisdiction{"FR"}}
		r.mustRefuse(t, policyResidency, live.Patch(t.Context(), narrowed, client.MergeFrom(before), client.DryRunAll))
	})
	t.Run("recipient", func(t *testing.T) {
		r := record(t, sectionResidency, "a tenant that uses a recipient outside its jurisdictions")
		american(t, "far")
		tenant := european("oversharing")
		tenant.Spec.SubProcessors = using("far.example")
		try := func(ctx context.Context) error { return live.Create(ctx, tenant.DeepCopy(), client.DryRunAll) }
		// The API server learns of recipients through a watch.
		var err error
		eventually(t, patience, "the recipient is known", func(ctx context.Context) error {
			if err = try(ctx); !apierrors.IsForbidden(err) {
				return errors.Join(errors.New("the tenant is not refused"), err)
			}
			return nil
		})
		r.mustRefuse(t, policyRecipients, err)
	})
	t.Run("backup store", func(t *testing.T) {
		r := record(t, sectionResidency, "a region with a backup store, inside or outside")
		region := &v1alpha1.DataRegion{
			ObjectMeta: metav1.ObjectMeta{Name: ownPrefix + "stored"},
			Spec: v1alpha1.DataRegionSpec{
				DisplayName: "End-to-end test", Jurisdiction: "DE", StorageClassName: "local-eu-central",
				NodeSelector: map[string]v1alpha1.LabelValue{regionLabel: "eu-central"},
				BackupStore:  &v1alpha1.BackupStore{URL: "s3://backups", SubProcessor: "far"},
			},
		}
		err := live.Create(t.Context(), region, client.DryRunAll)
		if err == nil || !strings.Contains(err.Error(), "takes no backups") {
			r.otherwise("%v", err)
			t.Errorf("want a refusal of the backup store, got: %v", err)
			return
		}
		r.refused("by the schema: this release takes no backups")
	})
}

// TestWhatIsLearnedLaterStopsATenantBeforeAnythingIsCreated declares tenants whose region nobody knows yet. What comes
// then is outside their jurisdictions.
func TestWhatIsLearnedLaterStopsATenantBeforeAnythingIsCreated(t *testing.T) {
	for name, later := range inOrder(map[string]func(t *testing.T, tenant *v1alpha1.ChatTenant){
		"a region outside, known after the tenant": func(t *testing.T, tenant *v1alpha1.ChatTenant) {
			makeRegionIn(t, tenant.Spec.Region, "US", regionLabel, "eu-central")
		},
		"a recipient outside, known after the tenant": func(t *testing.T, tenant *v1alpha1.ChatTenant) {
			american(t, tenant.Name[len(ownPrefix):])
			awaitOutside(t, tenant.Name)
			makeRegionIn(t, tenant.Spec.Region, "DE", regionLabel, "eu-central")
		},
	}) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := record(t, sectionResidency, name)
			tenant := european(strings.Fields(name)[1] + "-later")
			tenant.Spec.Region = tenant.Name
			tenant.Spec.SubProcessors = using(tenant.Name[len(ownPrefix):] + ".example")
			create(t, tenant)
			awaitCondition(t, tenant.Name, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRegionNotFound)
			later(t, tenant)
			told := awaitCondition(t, tenant.Name, v1alpha1.ConditionReady, metav1.ConditionFalse,
				v1alpha1.ReasonResidencyViolated)
			t.Logf("%s: %s", told.Reason, told.Message)
			err := live.Get(t.Context(), client.ObjectKey{Name: naming.Namespace(tenant.Name)}, &corev1.Namespace{})
			if !apierrors.IsNotFound(err) {
				r.otherwise("a namespace exists")
				t.Errorf("a namespace for it: %v", err)
				return
			}
			r.refused("%s, and not even a namespace", told.Reason)
		})
	}
}

// awaitOutside waits until the operator knows where a tenant's recipient is. It hears of regions by another watch: one
// that it heard of first would make a tenant whose recipient has no record yet.
func awaitOutside(t *testing.T, tenant string) {
	t.Helper()
	eventually(t, patience, "the recipient of "+tenant+" is known", func(context.Context) error {
		recipients := getTenant(t, tenant).Status.SubProcessors
		if len(recipients) != 1 || recipients[0].Reason != v1alpha1.RecipientOutside {
			return fmt.Errorf("its recipients are %v", recipients)
		}
		return nil
	})
}

func TestVolumesOfAnotherRegionAreRefused(t *testing.T) {
	claim := func() *corev1.PersistentVolumeClaim {
		return &corev1.PersistentVolumeClaim{
			ObjectMeta: object(naming.Namespace(acme), "claim"),
			Spec: corev1.PersistentVolumeClaimSpec{
				StorageClassName: ptr.To("local-eu-central"), AccessModes: []corev1.PersistentVolumeAccessMode{"ReadWriteOnce"},
				Resources: corev1.VolumeResourceRequirements{
					Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Mi")},
				},
			},
		}
	}
	maker := as(t, statefulSets)
	for name, deviate := range inOrder(map[string]func(*corev1.PersistentVolumeClaimSpec){
		"a volume of another region's class": func(s *corev1.PersistentVolumeClaimSpec) {
			s.StorageClassName = ptr.To("local-us-east")
		},
		"a volume of the cluster's default class": func(s *corev1.PersistentVolumeClaimSpec) { s.StorageClassName = nil },
		"a volume by name":                        func(s *corev1.PersistentVolumeClaimSpec) { s.VolumeName = "somebodys" },
	}) {
		t.Run(name, func(t *testing.T) {
			r := record(t, sectionResidency, name)
			deviant := claim()
			deviate(&deviant.Spec)
			r.mustRefuse(t, policyVolumes, maker.Create(t.Context(), deviant, client.DryRunAll))
		})
	}
	t.Run("a claim by hand", func(t *testing.T) {
		r := record(t, sectionResidency, "a claim laid by hand in a tenant's way")
		r.mustRefuse(t, policyVolumeBinding, live.Create(t.Context(), claim(), client.DryRunAll))
	})
}

// mustRefuse counts a refusal by an admission policy, and fails the test if there was none.
func (r *row) mustRefuse(t *testing.T, policy string, err error) {
	t.Helper()
	if refusedBy(t, policy, err); err == nil || !strings.Contains(err.Error(), "'"+policy+"'") {
		r.otherwise("%v", err)
		return
	}
	r.refused("by policy %s", policy)
}
