// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"fmt"
	"reflect"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmv1ac "github.com/cert-manager/cert-manager/pkg/client/applyconfigurations/certmanager/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// managedKind is what the package must know of a kind: how to read back what the operator owns, and what of the body
// the cache can do without.
type managedKind struct {
	gvk     schema.GroupVersionKind
	empty   func() client.Object
	list    client.ObjectList
	extract func(client.Object) (runtime.ApplyConfiguration, error)
	strip   func(client.Object)
}

var kinds = index(
	kind(corev1.SchemeGroupVersion.WithKind("Namespace"), &corev1.NamespaceList{}, corev1ac.ExtractNamespace,
		func(o *corev1.Namespace) { o.Spec = corev1.NamespaceSpec{} }),
	kind(rbacv1.SchemeGroupVersion.WithKind("RoleBinding"), &rbacv1.RoleBindingList{}, rbacv1ac.ExtractRoleBinding,
		func(o *rbacv1.RoleBinding) { o.Subjects = nil }),
	kind(corev1.SchemeGroupVersion.WithKind("ResourceQuota"), &corev1.ResourceQuotaList{}, corev1ac.ExtractResourceQuota,
		func(o *corev1.ResourceQuota) {
			o.Spec, o.Status = corev1.ResourceQuotaSpec{}, corev1.ResourceQuotaStatus{}
		}),
	kind(corev1.SchemeGroupVersion.WithKind("LimitRange"), &corev1.LimitRangeList{}, corev1ac.ExtractLimitRange,
		func(o *corev1.LimitRange) { o.Spec = corev1.LimitRangeSpec{} }),
	kind(corev1.SchemeGroupVersion.WithKind("ServiceAccount"), &corev1.ServiceAccountList{},
		corev1ac.ExtractServiceAccount,
		func(*corev1.ServiceAccount) {}),
	kind(networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"), &networkingv1.NetworkPolicyList{},
		networkingv1ac.ExtractNetworkPolicy,
		func(o *networkingv1.NetworkPolicy) { o.Spec = networkingv1.NetworkPolicySpec{} }),
	kind(corev1.SchemeGroupVersion.WithKind("ConfigMap"), &corev1.ConfigMapList{}, corev1ac.ExtractConfigMap,
		func(o *corev1.ConfigMap) { o.Data, o.BinaryData = nil, nil }),
	kind(corev1.SchemeGroupVersion.WithKind("Service"), &corev1.ServiceList{}, corev1ac.ExtractService,
		func(o *corev1.Service) { o.Spec = corev1.ServiceSpec{ClusterIP: o.Spec.ClusterIP} }),
	kind(appsv1.SchemeGroupVersion.WithKind("StatefulSet"), &appsv1.StatefulSetList{}, appsv1ac.ExtractStatefulSet,
		func(o *appsv1.StatefulSet) { o.Spec = appsv1.StatefulSetSpec{Replicas: o.Spec.Replicas} }),
	kind(appsv1.SchemeGroupVersion.WithKind("Deployment"), &appsv1.DeploymentList{}, appsv1ac.ExtractDeployment,
		func(o *appsv1.Deployment) { o.Spec = appsv1.DeploymentSpec{Replicas: o.Spec.Replicas} }),
	kind(policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget"), &policyv1.PodDisruptionBudgetList{},
		policyv1ac.ExtractPodDisruptionBudget,
		func(o *policyv1.PodDisruptionBudget) { o.Spec = policyv1.PodDisruptionBudgetSpec{} }),
	kind(cmv1.SchemeGroupVersion.WithKind("Issuer"), &cmv1.IssuerList{}, cmv1ac.ExtractIssuer,
		func(o *cmv1.Issuer) { o.Spec = cmv1.IssuerSpec{} }),
	kind(cmv1.SchemeGroupVersion.WithKind("Certificate"), &cmv1.CertificateList{}, cmv1ac.ExtractCertificate,
		func(o *cmv1.Certificate) { o.Spec = cmv1.CertificateSpec{IssuerRef: o.Spec.IssuerRef} }),
)

// Kinds lists an empty object of every managed kind; Namespace is the first.
func Kinds() []client.Object {
	objects := make([]client.Object, 0, len(kindOrder))
	for _, gvk := range kindOrder {
		objects = append(objects, kinds[gvk].empty())
	}
	return objects
}

var kindOrder []schema.GroupVersionKind

func index(all ...managedKind) map[schema.GroupVersionKind]managedKind {
	byKind := make(map[schema.GroupVersionKind]managedKind, len(all))
	for _, k := range all {
		byKind[k.gvk] = k
		kindOrder = append(kindOrder, k.gvk)
	}
	return byKind
}

func kind[T any, P interface {
	*T
	client.Object
}, A runtime.ApplyConfiguration](
	gvk schema.GroupVersionKind, list client.ObjectList, extract func(P, string) (A, error), strip func(P),
) managedKind {
	return managedKind{
		gvk:   gvk,
		empty: func() client.Object { return P(new(T)) },
		list:  list,
		extract: func(o client.Object) (runtime.ApplyConfiguration, error) {
			typed, ok := o.(P)
			if !ok {
				return nil, fmt.Errorf("want %s, got %T", gvk.Kind, o)
			}
			return extract(typed, FieldManager)
		},
		strip: func(o client.Object) {
			if typed, ok := o.(P); ok {
				strip(typed)
			}
		},
	}
}

func kindByType(o client.Object) (managedKind, bool) {
	for _, k := range kinds {
		if reflect.TypeOf(k.empty()) == reflect.TypeOf(o) {
			return k, true
		}
	}
	return managedKind{}, false
}

func kindOf(o client.Object) string {
	if k, ok := kindByType(o); ok {
		return k.gvk.Kind
	}
	return reflect.TypeOf(o).Elem().Name()
}
