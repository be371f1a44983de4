// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DeletionPolicy says what deleting a ChatTenant leaves behind.
// +kubebuilder:validation:Enum=Retain;Delete
type DeletionPolicy string

const (
	// DeletionRetain keeps the namespace with its volumes, keys and record; a later ChatTenant can take them up again.
	DeletionRetain DeletionPolicy = "Retain"
	// DeletionDelete removes everything, data and keys included.
	DeletionDelete DeletionPolicy = "Delete"
)

// Reconciliation says whether the operator acts on a ChatTenant.
// +kubebuilder:validation:Enum=Active;Paused
type Reconciliation string

const (
	// ReconciliationActive is the ordinary state.
	ReconciliationActive Reconciliation = "Active"
	// ReconciliationPaused leaves everything as it is: nothing is created, repaired or deleted.
	ReconciliationPaused Reconciliation = "Paused"
)

// ChatTenantSpec declares one customer's chat stack.
// +kubebuilder:validation:XValidation:rule="has(self.adoptUID) == has(oldSelf.adoptUID) && (!has(self.adoptUID) || self.adoptUID == oldSelf.adoptUID)",message="adoptUID is decided when the tenant is created and cannot change"
// +kubebuilder:validation:XValidation:rule="has(self.database) == has(oldSelf.database)",message="database can be neither added nor removed later: volumes are not resized in this release"
// +kubebuilder:validation:XValidation:rule="(!has(self.encryption) ? 1 : has(self.encryption.vaultTransit) ? self.encryption.vaultTransit.generation : has(self.encryption.kms) ? self.encryption.kms.generation : has(self.encryption.secret) ? self.encryption.secret.generation : 1) - (!has(oldSelf.encryption) ? 1 : has(oldSelf.encryption.vaultTransit) ? oldSelf.encryption.vaultTransit.generation : has(oldSelf.encryption.kms) ? oldSelf.encryption.kms.generation : has(oldSelf.encryption.secret) ? oldSelf.encryption.secret.generation : 1) in [0, 1]",message="the generation of encryption counts rotations, wherever the keys live: it stays or grows by one, and is 1 where it is left out"
// +kubebuilder:validation:XValidation:rule="(!has(self.encryption) ? 1 : has(self.encryption.vaultTransit) ? self.encryption.vaultTransit.generation : has(self.encryption.kms) ? self.encryption.kms.generation : has(self.encryption.secret) ? self.encryption.secret.generation : 1) != (!has(oldSelf.encryption) ? 1 : has(oldSelf.encryption.vaultTransit) ? oldSelf.encryption.vaultTransit.generation : has(oldSelf.encryption.kms) ? oldSelf.encryption.kms.generation : has(oldSelf.encryption.secret) ? oldSelf.encryption.secret.generation : 1) || (has(self.encryption) && has(self.encryption.vaultTransit)) == (has(oldSelf.encryption) && has(oldSelf.encryption.vaultTransit)) && (has(self.encryption) && has(self.encryption.kms)) == (has(oldSelf.encryption) && has(oldSelf.encryption.kms)) && (!(has(self.encryption) && has(self.encryption.vaultTransit)) || self.encryption.vaultTransit.mountPath == oldSelf.encryption.vaultTransit.mountPath && self.encryption.vaultTransit.key == oldSelf.encryption.vaultTransit.key) && (!(has(self.encryption) && has(self.encryption.kms)) || self.encryption.kms.uri == oldSelf.encryption.kms.uri)",message="another key is another generation: raise the generation of encryption by one, and put the key of before into encryption.previous if it is no Secret, or nothing that it wrapped could be read"
// +kubebuilder:validation:XValidation:rule="(!has(self.encryption) ? 1 : has(self.encryption.vaultTransit) ? self.encryption.vaultTransit.generation : has(self.encryption.kms) ? self.encryption.kms.generation : has(self.encryption.secret) ? self.encryption.secret.generation : 1) == (!has(oldSelf.encryption) ? 1 : has(oldSelf.encryption.vaultTransit) ? oldSelf.encryption.vaultTransit.generation : has(oldSelf.encryption.kms) ? oldSelf.encryption.kms.generation : has(oldSelf.encryption.secret) ? oldSelf.encryption.secret.generation : 1) || !(has(oldSelf.encryption) && has(oldSelf.encryption.vaultTransit)) && !(has(oldSelf.encryption) && has(oldSelf.encryption.kms)) || has(self.encryption) && has(self.encryption.previous) && self.encryption.previous.exists(p, (has(p.vaultTransit) && has(oldSelf.encryption.vaultTransit) && p.vaultTransit.generation == oldSelf.encryption.vaultTransit.generation && p.vaultTransit.mountPath == oldSelf.encryption.vaultTransit.mountPath && p.vaultTransit.key == oldSelf.encryption.vaultTransit.key || has(p.kms) && has(oldSelf.encryption.kms) && p.kms.generation == oldSelf.encryption.kms.generation && p.kms.uri == oldSelf.encryption.kms.uri))",message="the key of before must stay in encryption.previous, with its generation, or nothing that it wrapped could be read"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.encryption) || !has(oldSelf.encryption.previous) || has(self.encryption) && has(self.encryption.previous) && oldSelf.encryption.previous.all(o, self.encryption.previous.exists(p, (has(p.vaultTransit) && has(o.vaultTransit) && p.vaultTransit.generation == o.vaultTransit.generation && p.vaultTransit.mountPath == o.vaultTransit.mountPath && p.vaultTransit.key == o.vaultTransit.key || has(p.kms) && has(o.kms) && p.kms.generation == o.kms.generation && p.kms.uri == o.kms.uri)))",message="keys stay in encryption.previous: what they wrapped opens with nothing else"
// +kubebuilder:validation:XValidation:rule="!has(self.encryption) || !has(self.encryption.previous) || self.encryption.previous.all(p, has(oldSelf.encryption) && (has(oldSelf.encryption.previous) && oldSelf.encryption.previous.exists(o, (has(p.vaultTransit) && has(o.vaultTransit) && p.vaultTransit.generation == o.vaultTransit.generation && p.vaultTransit.mountPath == o.vaultTransit.mountPath && p.vaultTransit.key == o.vaultTransit.key || has(p.kms) && has(o.kms) && p.kms.generation == o.kms.generation && p.kms.uri == o.kms.uri)) || (has(p.vaultTransit) && has(oldSelf.encryption.vaultTransit) && p.vaultTransit.generation == oldSelf.encryption.vaultTransit.generation && p.vaultTransit.mountPath == oldSelf.encryption.vaultTransit.mountPath && p.vaultTransit.key == oldSelf.encryption.vaultTransit.key || has(p.kms) && has(oldSelf.encryption.kms) && p.kms.generation == oldSelf.encryption.kms.generation && p.kms.uri == oldSelf.encryption.kms.uri)))",message="only the key that was in use before comes into encryption.previous: the others have their place already"
// +kubebuilder:validation:XValidation:rule="!has(self.backup)",message="this release takes no backups, so it cannot honour spec.backup: leave the field out"
// +kubebuilder:validation:XValidation:rule="!has(self.hibernation)",message="this release does not put tenants to sleep, so it cannot honour spec.hibernation: leave the field out"
type ChatTenantSpec struct {
	// className names the ChatTenantClass this tenant follows. It cannot change.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="className cannot change: create a new tenant under the other class and move the data"
	ClassName string `json:"className,omitempty"`

	// displayName is what visitors and agents read, for example the customer's company name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=100
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1F\x7F]+$`
	DisplayName string `json:"displayName,omitempty"`

	// region names the DataRegion in which every pod, volume and backup of this tenant stays. It cannot change.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="region cannot change: data does not move silently; create a tenant in the other region and move the data"
	Region string `json:"region,omitempty"`

	// residency bounds where this tenant's data may be. Without it only the region itself is binding.
	// +optional
	Residency *Residency `json:"residency,omitempty"`

	// endpoint is the tenant's own name on the network and the sites that may show its widget.
	// +required
	Endpoint Endpoint `json:"endpoint,omitzero"`

	// privacy holds what visitors are promised.
	// +required
	Privacy Privacy `json:"privacy,omitzero"`

	// subProcessors says which recipients this tenant uses and how new ones become effective.
	// +optional
	SubProcessors *SubProcessorPolicy `json:"subProcessors,omitempty"`

	// encryption says where the tenant's key-encryption key lives. It defaults to a Secret in the tenant's namespace.
	// +optional
	Encryption *Encryption `json:"encryption,omitempty"`

	// database overrides the class's sizes for this tenant.
	// +optional
	Database *TenantDatabase `json:"database,omitempty"`

	// backup schedules backups to the region's off-site store.
	// +optional
	Backup *Backup `json:"backup,omitempty"`

	// hibernation lets an idle tenant sleep without pods.
	// +optional
	Hibernation *Hibernation `json:"hibernation,omitempty"`

	// deletionPolicy says what deleting this resource leaves behind: Retain keeps namespace, volumes and keys,
	// Delete removes them all. It defaults to Retain.
	// +optional
	// +default="Retain"
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	// reconciliation pauses the operator's work on this tenant. It defaults to Active.
	// +optional
	// +default="Active"
	Reconciliation Reconciliation `json:"reconciliation,omitempty"`

	// adoptUID takes up the data that an earlier tenant of this name left behind under deletionPolicy Retain. It is
	// that tenant's UID, as the namespace's record shows it: whoever names it says that the data is theirs to take.
	// +optional
	// +kubebuilder:validation:MinLength=36
	// +kubebuilder:validation:MaxLength=36
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`
	AdoptUID string `json:"adoptUID,omitempty"`
}

// ChatTenantStatus is what the operator has found and done. It changes only when something did.
// +kubebuilder:validation:MinProperties=1
type ChatTenantStatus struct {
	// conditions are documented one by one in docs/spec/chattenant.md.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation of the spec that was last evaluated.
	// +optional
	// +kubebuilder:validation:Minimum=1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// namespace holds everything of this tenant.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// endpoint is where visitors and agents reach this tenant.
	// +optional
	Endpoint *EndpointStatus `json:"endpoint,omitempty"`

	// placement lists each pod and volume and the place it was found in.
	// +optional
	Placement *PlacementStatus `json:"placement,omitempty"`

	// encryption says which key protects the tenant's data. It never holds key material.
	// +optional
	Encryption *EncryptionStatus `json:"encryption,omitempty"`

	// announcedKeyGeneration is that of the key that is made next: there was no Secret of its name. It is absent while
	// none is about to be made.
	// +optional
	// +kubebuilder:validation:Minimum=1
	AnnouncedKeyGeneration int64 `json:"announcedKeyGeneration,omitempty"`

	// subProcessors lists every recipient that the tenant uses, those that these engage, and those that were once
	// effective for it. At most 256: then the longest retired fall out first.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	SubProcessors []SubProcessorStatus `json:"subProcessors,omitempty"`

	// isolation is what the latest probe inside the tenant found.
	// +optional
	Isolation *IsolationStatus `json:"isolation,omitempty"`

	// versions are the images that the tenant's pods run.
	// +optional
	Versions *VersionStatus `json:"versions,omitempty"`
}

// ChatTenant is one customer: a chat server, a database, keys, certificates and network policies of its own, in one
// region and in a namespace of its own.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=chattenant-io,shortName=ct
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Region",type=string,JSONPath=`.spec.region`
// +kubebuilder:printcolumn:name="Host",type=string,JSONPath=`.spec.endpoint.host`
// +kubebuilder:printcolumn:name="Class",type=string,JSONPath=`.spec.className`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 40",message="metadata.name must be a DNS label that starts with a letter and has at most 40 characters"
type ChatTenant struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the desired state.
	// +required
	Spec ChatTenantSpec `json:"spec,omitzero"`

	// status is the observed state.
	// +optional
	Status ChatTenantStatus `json:"status,omitzero"`
}

// ChatTenantList is a list of ChatTenants.
// +kubebuilder:object:root=true
type ChatTenantList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	Items []ChatTenant `json:"items"`
}

// Claims says whether a tenant claims its host at all: one that is being deleted has let it go.
func Claims(t *ChatTenant) bool {
	return t.DeletionTimestamp.IsZero() && t.Spec.Endpoint.Host != ""
}

// ClaimsBefore says whether a's claim to a host name goes before b's: the older tenant wins, then the smaller UID.
// Every component that must know the owner of a name decides with this one rule.
func ClaimsBefore(a, b *ChatTenant) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.UID < b.UID
}
