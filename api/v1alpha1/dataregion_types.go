// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DataRegionSpec describes a place. Where it is cannot change: tenants rely on it.
// +kubebuilder:validation:XValidation:rule="!has(self.backupStore)",message="this release takes no backups: leave backupStore out"
type DataRegionSpec struct {
	// displayName is what visitors read, for example a city.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=100
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1F\x7F]+$`
	DisplayName string `json:"displayName,omitempty"`

	// jurisdiction is the country of the place, ISO 3166-1 alpha-2. It cannot change.
	// +required
	// +kubebuilder:validation:XValidation:rule="size(self) == 2 && self != 'EU'",message="a region lies in one country: use its two-letter ISO 3166-1 code"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="jurisdiction cannot change: create another DataRegion"
	Jurisdiction Jurisdiction `json:"jurisdiction,omitempty"`

	// nodeSelector holds the labels that every node of this place carries. Prefer labels under
	// node-restriction.kubernetes.io/: a kubelet can set most others on its own node. It cannot change.
	// +required
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=8
	// +kubebuilder:validation:XValidation:rule="self.all(k, !format.qualifiedName().validate(k).hasValue())",message="keys must be label keys"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="nodeSelector cannot change: create another DataRegion"
	NodeSelector map[string]LabelValue `json:"nodeSelector,omitempty"`

	// storageClassName names the StorageClass whose volumes are in this place. It cannot change.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="storageClassName cannot change: create another DataRegion"
	StorageClassName string `json:"storageClassName,omitempty"`

	// backupStore is where this place's backups go.
	// +optional
	BackupStore *BackupStore `json:"backupStore,omitempty"`
}

// LabelValue is the value of a label.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^[a-zA-Z0-9]([-_.a-zA-Z0-9]*[a-zA-Z0-9])?$`
type LabelValue string

// BackupStore is where backups go.
type BackupStore struct {
	// url is a gocloud.dev bucket URL.
	// +required
	// +kubebuilder:validation:MinLength=6
	// +kubebuilder:validation:MaxLength=500
	// +kubebuilder:validation:Pattern=`^(s3|gs|azblob|file)://`
	URL string `json:"url,omitempty"`

	// subProcessor names the SubProcessor that runs the store: it is a recipient too.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`
	SubProcessor string `json:"subProcessor,omitempty"`
}

// DataRegion is a place: nodes, storage and the law that holds there.
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,categories=chattenant-io,shortName=dr
// +kubebuilder:printcolumn:name="Jurisdiction",type=string,JSONPath=`.spec.jurisdiction`
// +kubebuilder:printcolumn:name="Display Name",type=string,JSONPath=`.spec.displayName`
// +kubebuilder:printcolumn:name="Storage Class",type=string,JSONPath=`.spec.storageClassName`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 63",message="metadata.name must be a DNS label: it becomes a label of the tenants' namespaces"
type DataRegion struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec describes the place.
	// +required
	Spec DataRegionSpec `json:"spec,omitzero"`
}

// DataRegionList is a list of DataRegions.
// +kubebuilder:object:root=true
type DataRegionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	Items []DataRegion `json:"items"`
}
