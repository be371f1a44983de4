// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// Admission policies of the chart.
const (
	policyObjects    = "chattenant-tenant-objects"
	policyNamespaces = "chattenant-tenant-namespaces"
	policyPods       = "chattenant-pods"
	policyPlacement  = "chattenant-pod-placement"
	policyReach      = "chattenant-operator-reach"
	policyDeletion   = "chattenant-confirm-deletion"
)

// replicaSets makes most pods of a cluster, the operator's among them.
const replicaSets = "system:serviceaccount:kube-system:replicaset-controller"

func TestNobodyAddsToWhatATenantsNamespaceLetsThrough(t *testing.T) {
	namespace := naming.Namespace(acme)
	everywhere := networkingv1.NetworkPolicySpec{
		Ingress: []networkingv1.NetworkPolicyIngressRule{{}}, Egress: []networkingv1.NetworkPolicyEgressRule{{}},
	}
	for name, added := range map[string]client.Object{
		"NetworkPolicy": &networkingv1.NetworkPolicy{ObjectMeta: object(namespace, "open"), Spec: everywhere},
		"Service": &corev1.Service{ObjectMeta: object(namespace, "detour"), Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeExternalName, ExternalName: "elsewhere.example",
		}},
		"EndpointSlice": &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: namespace, Name: ownPrefix + "hijack",
				Labels: map[string]string{discoveryv1.LabelServiceName: naming.Postgres},
			},
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.10"}}},
			Ports:       []discoveryv1.EndpointPort{{Port: ptr.To[int32](naming.PostgresPort)}},
		},
		"Secret": &corev1.Secret{ObjectMeta: object(namespace, "planted")},
	} {
		t.Run(name, func(t *testing.T) {
			refusedBy(t, policyObjects, live.Create(t.Context(), added, client.DryRunAll))
		})
	}
}

func TestOnlyPlacedPodsOfKnownComponentsAreAdmitted(t *testing.T) {
	if err := as(t, replicaSets).Create(t.Context(), placedPod(), client.DryRunAll); err != nil {
		t.Fatalf("the pod from which the others deviate must be admitted: %v", err)
	}
	// Everybody else makes none at all, not even such a one.
	refusedBy(t, policyObjects, live.Create(t.Context(), placedPod(), client.DryRunAll))
	for name, c := range map[string]struct {
		policy  string
		deviate func(*corev1.PodSpec)
	}{
		"no place": {policyPlacement, func(s *corev1.PodSpec) { s.Affinity = nil }},
		"another region": {policyPlacement, func(s *corev1.PodSpec) {
			terms(s)[0].MatchExpressions[0].Values = []string{"us-east"}
		}},
		"either region": {policyPlacement, func(s *corev1.PodSpec) {
			terms(s)[0].MatchExpressions[0].Values = []string{"eu-central", "us-east"}
		}},
		"its region or anywhere": {policyPlacement, func(s *corev1.PodSpec) {
			required := s.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
			required.NodeSelectorTerms = append(required.NodeSelectorTerms, corev1.NodeSelectorTerm{
				MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpExists,
				}},
			})
		}},
		"a node of one's own choice": {policyPods, func(s *corev1.PodSpec) { s.NodeName = "eu-1" }},
		"the default account":        {policyPods, func(s *corev1.PodSpec) { s.ServiceAccountName = "default" }},
		"a mounted token": {policyPods, func(s *corev1.PodSpec) {
			s.AutomountServiceAccountToken = ptr.To(true)
		}},
		"a projected token": {policyPods, func(s *corev1.PodSpec) {
			s.Volumes = []corev1.Volume{{Name: "token", VolumeSource: corev1.VolumeSource{
				Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{
					ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"},
				}}},
			}}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			pod := placedPod()
			c.deviate(&pod.Spec)
			// The operator's way to a pod leads through a controller of Kubernetes, which is held to the same.
			refusedBy(t, c.policy, as(t, replicaSets).Create(t.Context(), pod.DeepCopy(), client.DryRunAll))
			refusedByRBAC(t, as(t, operatorUser).Create(t.Context(), pod, client.DryRunAll))
		})
	}
}

func TestNoContainerIsAddedToARunningPod(t *testing.T) {
	pod := tenantPods(t, acme, naming.ChatServer)[0]
	pod.Spec.EphemeralContainers = append(pod.Spec.EphemeralContainers, corev1.EphemeralContainer{
		EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name: "look", Image: "busybox", SecurityContext: restricted(),
		},
	})
	err := live.SubResource("ephemeralcontainers").Update(t.Context(), &pod, client.DryRunAll)
	refusedBy(t, policyPods, err)
}

func TestPrivilegedPodsAreRefusedInATenantsNamespace(t *testing.T) {
	pod := placedPod()
	pod.Spec.HostNetwork = true
	err := live.Create(t.Context(), pod, client.DryRunAll)
	if err == nil || !containsAll(err.Error(), "PodSecurity", "restricted") {
		t.Errorf("want a refusal by Pod Security, got %v", err)
	}
}

func TestTheOperatorsIdentityReachesNoFurtherThanItsTenants(t *testing.T) {
	operator := as(t, operatorUser)
	t.Run("a namespace that is no tenant's", func(t *testing.T) {
		namespace := &corev1.Namespace{ObjectMeta: object("", "grab")}
		refusedBy(t, policyReach, operator.Create(t.Context(), namespace, client.DryRunAll))
	})
	t.Run("deletion of a namespace that is no tenant's", func(t *testing.T) {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "cert-manager"}}
		refusedBy(t, policyReach, operator.Delete(t.Context(), namespace, client.DryRunAll))
	})
	t.Run("its own role in a namespace that is no tenant's", func(t *testing.T) {
		refusedBy(t, policyReach, operator.Create(t.Context(), binding("kube-system"), client.DryRunAll))
	})
	t.Run("its role for somebody else", func(t *testing.T) {
		foreign := binding(naming.Namespace(acme))
		foreign.Subjects[0].Name = "somebody"
		refusedBy(t, policyReach, operator.Create(t.Context(), foreign, client.DryRunAll))
	})
	t.Run("another role", func(t *testing.T) {
		foreign := binding(naming.Namespace(acme))
		foreign.RoleRef.Name = "cluster-admin"
		if err := operator.Create(t.Context(), foreign, client.DryRunAll); err == nil {
			t.Error("the operator could make itself an administrator")
		}
	})
	t.Run("what a tenant declares", func(t *testing.T) {
		tenant := getTenant(t, acme)
		before := tenant.DeepCopy()
		tenant.Spec.Endpoint.Host = "elsewhere.localhost"
		refusedBy(t, policyReach, operator.Patch(t.Context(), tenant, client.MergeFrom(before), client.DryRunAll))
	})
}

func TestATenantIsNotDeletedWithoutItsNameOnTheOrder(t *testing.T) {
	tenant := &v1alpha1.ChatTenant{ObjectMeta: metav1.ObjectMeta{Name: acme}}
	refusedBy(t, policyDeletion, live.Delete(t.Context(), tenant, client.DryRunAll))
	refusedBy(t, policyDeletion, live.DeleteAllOf(t.Context(), &v1alpha1.ChatTenant{}, client.DryRunAll))
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: naming.Namespace(acme)}}
	refusedBy(t, policyNamespaces, live.Delete(t.Context(), namespace, client.DryRunAll))
}

// binding is the role binding by which the operator lets itself into a namespace.
func binding(namespace string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: object(namespace, "grab"),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "chattenant-tenant"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: operatorAccount, Namespace: systemNamespace}},
	}
}

// placedPod has everything that is asked of a pod in acme's namespace.
func placedPod() *corev1.Pod {
	small := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("1m"), corev1.ResourceMemory: resource.MustParse("1Mi"),
	}
	return &corev1.Pod{
		ObjectMeta: object(naming.Namespace(acme), "pod"),
		Spec: corev1.PodSpec{
			ServiceAccountName:           naming.ChatServer,
			AutomountServiceAccountToken: ptr.To(false),
			Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
					NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{
						Key: regionLabel, Operator: corev1.NodeSelectorOpIn, Values: []string{"eu-central"},
					}}}},
				},
			}},
			Containers: []corev1.Container{{
				Name: "c", Image: "busybox", SecurityContext: restricted(),
				Resources: corev1.ResourceRequirements{Requests: small, Limits: small},
			}},
		},
	}
}

func terms(s *corev1.PodSpec) []corev1.NodeSelectorTerm {
	return s.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
}

// restricted is what Pod Security's strictest level asks of a container.
func restricted() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr.To(false), RunAsNonRoot: ptr.To(true),
		Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}
