// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Labels and annotations of chattenant.io. Admission policies select by them, so only the operator may write those of
// tenant namespaces and managed objects.
const (
	// LabelManagedBy carries ManagedBy on every object the operator makes.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// ManagedBy is the value of LabelManagedBy, and the operator's field manager.
	ManagedBy = "chattenant"
	// LabelName is the component an object belongs to, for example chatserver or postgres.
	LabelName = "app.kubernetes.io/name"
	// LabelPartOf carries PartOf on every object of the product.
	LabelPartOf = "app.kubernetes.io/part-of"
	// PartOf is the value of LabelPartOf.
	PartOf = "chattenant"
	// LabelTenant names the ChatTenant on its namespace and on every object in it.
	LabelTenant = "chattenant.io/tenant"
	// LabelRegion names the DataRegion on a tenant's namespace.
	LabelRegion = "chattenant.io/region"
	// LabelClass names the ChatTenantClass on a tenant's namespace.
	LabelClass = "chattenant.io/class"
	// LabelState is StateRetained on a namespace whose tenant was deleted under deletionPolicy Retain.
	LabelState = "chattenant.io/state"
	// LabelNodes is NodesDedicated on the namespace of a tenant whose class asks for dedicated nodes.
	LabelNodes = "chattenant.io/nodes"
	// NodesDedicated is the value of LabelNodes.
	NodesDedicated = "dedicated"
	// KeyDedicated is the key of the label and of the taint that give a node to one tenant; the value is its name.
	KeyDedicated = "chattenant.io/dedicated"
	// StateRetained is the value of LabelState.
	StateRetained = "retained"

	// LabelNetworkRole says by which network policies a pod of a tenant is held: one of the roles of package isolation.
	// Policies select by it and Services do not, so a pod can be held like a chat server without being one.
	LabelNetworkRole = "chattenant.io/network-role"

	// AnnotationTenantUID is a namespace's record: the UID of the ChatTenant it was made for.
	AnnotationTenantUID = "chattenant.io/tenant-uid"
	// AnnotationEgressRevision on an egress gateway's pod is the operator's word that its configuration changed: kubelet
	// then refreshes the pod's volumes at once. It is all that the operator may write on a pod.
	AnnotationEgressRevision = "chattenant.io/egress-revision"
	// AnnotationConfirmDeletion must hold a ChatTenant's own name before it may be deleted.
	AnnotationConfirmDeletion = "chattenant.io/confirm-deletion"

	// Finalizer keeps a ChatTenant until what its deletionPolicy asks for has been done.
	Finalizer = "chattenant.io/teardown"
)
