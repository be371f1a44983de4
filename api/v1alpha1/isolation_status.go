// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// IsolationStatus is what the latest isolation probe found. A probe is one Job per network role.
// +kubebuilder:validation:MinProperties=0
type IsolationStatus struct {
	// lastProbeTime is when the latest probe ended that came to a verdict.
	// +optional
	LastProbeTime *metav1.Time `json:"lastProbeTime,omitempty"`

	// tried is the number of connections that were tried, from all roles together.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Tried int32 `json:"tried,omitempty"`

	// refused is how many of them were refused.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Refused int32 `json:"refused,omitempty"`

	// open is how many of them were open: those that have to be, and the holes.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Open int32 `json:"open,omitempty"`

	// planDigest names what was tried: a SHA-256 sum in hexadecimal.
	// +optional
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=64
	PlanDigest string `json:"planDigest,omitempty"`

	// policiesDigest names the network policies under which it was tried: a SHA-256 sum in hexadecimal.
	// +optional
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=64
	PoliciesDigest string `json:"policiesDigest,omitempty"`

	// holes are the connections that were open and must not be, as "role -> address (whose)". At most 16 are named.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=400
	Holes []string `json:"holes,omitempty"`

	// failures is how many probes came to no verdict since the latest one that did.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	Failures int32 `json:"failures,omitempty"`

	// lastFailureTime is when the latest of them ended.
	// +optional
	LastFailureTime *metav1.Time `json:"lastFailureTime,omitempty"`

	// lastFailure says why it came to no verdict.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=400
	LastFailure string `json:"lastFailure,omitempty"`
}
