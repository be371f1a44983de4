// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

func classExists(in Input) (string, string, bool) {
	return v1alpha1.ReasonClassNotFound, fmt.Sprintf(
		"There is no ChatTenantClass %q. Create it, or see which exist: kubectl get chattenantclasses",
		in.Tenant.Spec.ClassName), in.Class == nil
}

func regionExists(in Input) (string, string, bool) {
	return v1alpha1.ReasonRegionNotFound, fmt.Sprintf(
		"There is no DataRegion %q. Create it, or see which exist: kubectl get dataregions",
		in.Tenant.Spec.Region), in.Region == nil
}

func runtimeClassExists(in Input) (string, string, bool) {
	if in.Class == nil || in.RuntimeClass != nil {
		return "", "", false
	}
	name := RuntimeClassName(in.Class)
	return v1alpha1.ReasonRuntimeClassNotFound, fmt.Sprintf(
		"There is no RuntimeClass %q, so no pod would start. Create it, or change spec.isolation.runtimeClassName of "+
			"ChatTenantClass %q", name, in.Class.Name), name != ""
}

// RuntimeClassName is what a class says its tenants' pods run in, empty for the cluster's default.
func RuntimeClassName(class *v1alpha1.ChatTenantClass) string {
	if class.Spec.Isolation == nil {
		return ""
	}
	return class.Spec.Isolation.RuntimeClassName
}

func regionWithinResidency(in Input) (string, string, bool) {
	if in.Tenant.Spec.Residency == nil || in.Region == nil {
		return "", "", false
	}
	allowed := in.Tenant.Spec.Residency.Jurisdictions
	return v1alpha1.ReasonResidencyViolated, fmt.Sprintf(
		"DataRegion %q lies in %s, outside spec.residency.jurisdictions (%s). Create the tenant in a region inside them",
		in.Region.Name, in.Region.Spec.Jurisdiction, join(allowed)), !Within(in.Region.Spec.Jurisdiction, allowed)
}

func hostIsFree(in Input) (string, string, bool) {
	for i := range in.Claimants {
		other := &in.Claimants[i]
		if other.UID != in.Tenant.UID && v1alpha1.Claims(other) && v1alpha1.ClaimsBefore(other, in.Tenant) {
			return v1alpha1.ReasonHostTaken, fmt.Sprintf(
				"Host %q belongs to the older ChatTenant %q. Choose another spec.endpoint.host, or change that tenant's",
				in.Tenant.Spec.Endpoint.Host, other.Name), true
		}
	}
	return "", "", false
}

func namespaceIsOurs(in Input) (string, string, bool) {
	ns := in.Namespace
	return v1alpha1.ReasonNamespaceNotOurs, fmt.Sprintf(
		"Namespace %q exists and was not made for this ChatTenant; it is left untouched. Remove it, or name the tenant "+
			"differently",
		naming.Namespace(in.Tenant.Name)), ns != nil && !madeFor(ns, in.Tenant.Name) && !Owns(in.Tenant, ns)
}

func namespaceIsAdopted(in Input) (string, string, bool) {
	ns := in.Namespace
	if ns == nil || Owns(in.Tenant, ns) {
		return "", "", false
	}
	record := ns.Annotations[v1alpha1.AnnotationTenantUID]
	return v1alpha1.ReasonNamespaceRetained, fmt.Sprintf(
		"Namespace %q holds the data of an earlier ChatTenant with UID %s. To take that data up, create this tenant anew "+
			"with spec.adoptUID: %s; to be rid of it, delete the namespace", ns.Name, record, record), true
}

func adoptionStaysInRegion(in Input) (string, string, bool) {
	ns := in.Namespace
	if ns == nil || !adopts(in.Tenant, ns) || ns.Labels[v1alpha1.LabelRegion] == in.Tenant.Spec.Region {
		return "", "", false
	}
	return v1alpha1.ReasonDataElsewhere, fmt.Sprintf(
		"The data in namespace %q lies in DataRegion %q and does not move. Create this tenant anew with spec.region: %[2]s",
		ns.Name, ns.Labels[v1alpha1.LabelRegion]), true
}

func adoptionHasTarget(in Input) (string, string, bool) {
	return v1alpha1.ReasonNothingToAdopt, fmt.Sprintf(
			"spec.adoptUID is %s, but there is no namespace %q to take up. Restore it, or create the tenant anew without "+
				"adoptUID",
			in.Tenant.Spec.AdoptUID, naming.Namespace(in.Tenant.Name)),
		in.Tenant.Spec.AdoptUID != "" && in.Namespace == nil && in.Tenant.Status.Namespace == ""
}

func namespaceIsStable(in Input) (string, string, bool) {
	ns := in.Namespace
	return v1alpha1.ReasonNamespaceTerminating, fmt.Sprintf(
			"Namespace %q is being removed; the tenant continues in a new one when it is gone. If that takes long, see what it "+
				"waits for: kubectl get namespace %[1]s -o yaml", naming.Namespace(in.Tenant.Name)),
		ns != nil && !ns.DeletionTimestamp.IsZero()
}

// Owns says whether the namespace is this tenant's: its record names the tenant's own UID, which nobody knows before
// the tenant exists, or it was made for a tenant of this name and its record names the UID that this tenant was told
// to adopt.
func Owns(tenant *v1alpha1.ChatTenant, ns *corev1.Namespace) bool {
	return ns.Annotations[v1alpha1.AnnotationTenantUID] == string(tenant.UID) || adopts(tenant, ns)
}

func adopts(tenant *v1alpha1.ChatTenant, ns *corev1.Namespace) bool {
	adopted := tenant.Spec.AdoptUID
	return adopted != "" && ns.Annotations[v1alpha1.AnnotationTenantUID] == adopted && madeFor(ns, tenant.Name)
}

// madeFor says whether the operator made the namespace for a tenant of this name. The labels alone prove little where
// others may write them; the admission policies see to it that nobody else may.
func madeFor(ns *corev1.Namespace, tenant string) bool {
	return ns.Labels[v1alpha1.LabelManagedBy] == v1alpha1.ManagedBy && ns.Labels[v1alpha1.LabelTenant] == tenant
}

func join(jurisdictions []v1alpha1.Jurisdiction) string {
	names := make([]string, len(jurisdictions))
	for i, j := range jurisdictions {
		names[i] = string(j)
	}
	return strings.Join(names, ", ")
}
