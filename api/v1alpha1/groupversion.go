// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 contains the resources of chattenant.io: a ChatTenant is one customer's chat stack, a
// ChatTenantClass what the platform team decides once for many of them, a DataRegion a place, a SubProcessor a
// recipient of data.
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +kubebuilder:ac:output:package="applyconfiguration"
// +groupName=chattenant.io
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of every kind in this package.
var GroupVersion = schema.GroupVersion{Group: "chattenant.io", Version: "v1alpha1"}

// SchemeGroupVersion is GroupVersion under the name that generated apply-configurations expect.
var SchemeGroupVersion = GroupVersion

// AddToScheme registers the kinds of this package.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&ChatTenant{}, &ChatTenantList{},
		&ChatTenantClass{}, &ChatTenantClassList{},
		&DataRegion{}, &DataRegionList{},
		&SubProcessor{}, &SubProcessorList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
