// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package desired says what a tenant's namespace should hold. Every function is pure: the same Input gives the same
// objects, byte for byte, so a changed intent is a changed hash and an unchanged one is never written. There is no
// client, no clock and no randomness here.
//
// Objects are canonical: what the API server returns as applied by the operator's field manager serialises exactly as
// what was sent. Fields that the server would default inside atomic lists are therefore spelled out, and empty maps
// and lists are left out.
package desired

import (
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// Object is an apply-configuration of any kind.
type Object interface {
	runtime.ApplyConfiguration
	GetAPIVersion() *string
	GetKind() *string
	GetName() *string
	// GetNamespace returns nil for cluster-scoped objects.
	GetNamespace() *string
}

// System says where and as whom the shared components run.
type System struct {
	// Namespace holds the operator and the ingress gateway.
	Namespace string
	// OperatorServiceAccount is the operator's ServiceAccount in Namespace.
	OperatorServiceAccount string
	// GatewayName is the value of the label app.kubernetes.io/name on the ingress gateway's pods in Namespace.
	GatewayName string
	// TenantClusterRole is the one ClusterRole that the operator may bind to itself in tenant namespaces.
	TenantClusterRole string
}

// Input is everything that a tenant's objects depend on. Builders only read it. Tenant, Class and Region are never nil.
type Input struct {
	Tenant *v1alpha1.ChatTenant
	Class  *v1alpha1.ChatTenantClass
	Region *v1alpha1.DataRegion
	System System
	// PostgresAddress is the ClusterIP of the database's Service. It is empty until that Service exists; the chat server
	// cannot be built before.
	PostgresAddress string
	// Egress is the tenant's egress gateway, nil where it has none.
	Egress *Egress
	// KeyGeneration is that of the newest key-encryption key that is ready to be used, counted from 1. The Secrets of all
	// that are in Secrets exist.
	KeyGeneration int64
}

func (in Input) namespace() string { return naming.Namespace(in.Tenant.Name) }
