// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// EndpointStatus is where visitors and agents reach a tenant.
type EndpointStatus struct {
	// url is the tenant's address.
	// +required
	// +kubebuilder:validation:MinLength=9
	// +kubebuilder:validation:MaxLength=300
	URL string `json:"url,omitempty"`

	// certificateNotAfter is when the served certificate expires; it is renewed long before.
	// +optional
	CertificateNotAfter *metav1.Time `json:"certificateNotAfter,omitempty"`

	// certificateIssuer is the ClusterIssuer that signed the served certificate.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	CertificateIssuer string `json:"certificateIssuer,omitempty"`
}

// PlacementStatus lists objects and the places they were found in. It is empty while nothing has a place yet.
// +kubebuilder:validation:MinProperties=0
type PlacementStatus struct {
	// objects lists each pod and volume of the tenant.
	// +optional
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Objects []PlacedObject `json:"objects,omitempty"`
}

// PlacedKind is the kind of a placed object.
// +kubebuilder:validation:Enum=Pod;PersistentVolumeClaim
type PlacedKind string

// Kinds of placed objects.
const (
	PlacedPod   PlacedKind = "Pod"
	PlacedClaim PlacedKind = "PersistentVolumeClaim"
)

// PlacedObject is a pod or volume and the place it was found in.
type PlacedObject struct {
	// kind is Pod or PersistentVolumeClaim.
	// +required
	Kind PlacedKind `json:"kind,omitempty"`

	// name is the object's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// location is the node of a pod, or the PersistentVolume of a claim.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Location string `json:"location,omitempty"`

	// region is the DataRegion whose nodes these are, empty where the place is in none that the tenant may use.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Region string `json:"region,omitempty"`
}

// EncryptionStatus says which key protects a tenant's data.
type EncryptionStatus struct {
	// provider is where the key-encryption key lives.
	// +required
	Provider EncryptionProvider `json:"provider,omitempty"`

	// keyGeneration is that of the newest key, counted from 1.
	// +required
	// +kubebuilder:validation:Minimum=1
	KeyGeneration int64 `json:"keyGeneration,omitempty"`

	// activeGeneration is that of the key which wraps the tenant's keysets: every chat server has started with it. While a
	// rotation is under way it is lower than keyGeneration.
	// +optional
	// +kubebuilder:validation:Minimum=1
	ActiveGeneration int64 `json:"activeGeneration,omitempty"`

	// lastRotationTime is when activeGeneration was seen to grow, absent if it never did.
	// +optional
	LastRotationTime *metav1.Time `json:"lastRotationTime,omitempty"`
}

// VersionStatus holds the images a tenant runs. It is empty while nothing runs yet.
// +kubebuilder:validation:MinProperties=0
type VersionStatus struct {
	// chatServer is the chat server's image.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=500
	ChatServer string `json:"chatServer,omitempty"`

	// egressGateway is the egress gateway's image, absent where there is none.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=500
	EgressGateway string `json:"egressGateway,omitempty"`

	// postgres is the database's image.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=500
	Postgres string `json:"postgres,omitempty"`
}
