// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"path"
	"strings"
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
	policyResidency  = "chattenant-residency"
	policyRecipients = "chattenant-recipient-residency"
	policyHosts      = "chattenant-hosts"
	policyVolumes    = "chattenant-volumes"
	policyNodeLabels = "chattenant-node-labels"

	policyVolumeBinding = "chattenant-volume-binding"
	policyNodeRegions   = "chattenant-node-regions"
)

// replicaSets makes most pods of a cluster, the operator's among them.
const replicaSets = "system:serviceaccount:kube-system:replicaset-controller"

func TestNobodyAddsToWhatATenantsNamespaceLetsThrough(t *testing.T) {
	namespace := naming.Namespace(acme)
	everywhere := networkingv1.NetworkPolicySpec{
		Ingress: []networkingv1.NetworkPolicyIngressRule{{}}, Egress: []networkingv1.NetworkPolicyEgressRule{{}},
	}
	for name, added := range inOrder(map[string]client.Object{
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
	}) {
		t.Run(name, func(t *testing.T) {
			r := record(t, sectionAdmission, "an administrator adds: "+name)
			r.mustRefuse(t, policyObjects, live.Create(t.Context(), added, client.DryRunAll))
		})
	}
}

func TestOnlyPlacedPodsOfKnownComponentsAreAdmitted(t *testing.T) {
	if err := as(t, replicaSets).Create(t.Context(), placedPod(), client.DryRunAll); err != nil {
		t.Fatalf("the pod from which the others deviate must be admitted: %v", err)
	}
	// Everybody else makes none at all, not even such a one.
	refusedBy(t, policyObjects, live.Create(t.Context(), placedPod(), client.DryRunAll))
	for name, c := range inOrder(map[string]struct {
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
	}) {
		t.Run(name, func(t *testing.T) {
			in := sectionAdmission
			if c.policy == policyPlacement {
				in = sectionResidency
			}
			r := record(t, in, "a pod with "+name)
			pod := placedPod()
			c.deviate(&pod.Spec)
			// The operator's way to a pod leads through a controller of Kubernetes, which is held to the same.
			r.mustRefuse(t, c.policy, as(t, replicaSets).Create(t.Context(), pod.DeepCopy(), client.DryRunAll))
			refusedByRBAC(t, as(t, operatorUser).Create(t.Context(), pod, client.DryRunAll))
		})
	}
}

func TestNoContainerIsAddedToARunningPod(t *testing.T) {
	pod := tenantPods(t, acme, naming.ChatServer)[0]
	// Whatever its status has become by now.
	pod.ResourceVersion = ""
	pod.Spec.EphemeralContainers = append(pod.Spec.EphemeralContainers, corev1.EphemeralContainer{
		EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name: "look", Image: "busybox", SecurityContext: restricted(),
		},
	})
	err := live.SubResource("ephemeralcontainers").Update(t.Context(), &pod, client.DryRunAll)
	record(t, sectionAdmission, "a container added to a running pod").mustRefuse(t, policyPods, err)
}

func TestPrivilegedPodsAreRefusedInATenantsNamespace(t *testing.T) {
	r := record(t, sectionAdmission, "a pod on the node's own network")
	pod := placedPod()
	pod.Spec.HostNetwork = true
	err := live.Create(t.Context(), pod, client.DryRunAll)
	if err == nil || !containsAll(err.Error(), "PodSecurity", "restricted") {
		t.Errorf("want a refusal by Pod Security, got %v", err)
		return
	}
	r.refused("by Pod Security, restricted")
}

func TestTheOperatorsIdentityReachesNoFurtherThanItsTenants(t *testing.T) {
	operator := as(t, operatorUser)
	refused := func(t *testing.T, err error) {
		t.Helper()
		what := strings.ReplaceAll(path.Base(t.Name()), "_", " ")
		record(t, sectionAdmission, "with the operator's identity: "+what).mustRefuse(t, policyReach, err)
	}
	t.Run("a namespace that is no tenant's", func(t *testing.T) {
		namespace := &corev1.Namespace{ObjectMeta: object("", "grab")}
		refused(t, operator.Create(t.Context(), namespace, client.DryRunAll))
	})
	t.Run("deletion of a namespace that is no tenant's", func(t *testing.T) {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "cert-manager"}}
		refused(t, operator.Delete(t.Context(), namespace, client.DryRunAll))
	})
	t.Run("its own role in a namespace that is no tenant's", func(t *testing.T) {
		refused(t, operator.Create(t.Context(), binding("kube-system"), client.DryRunAll))
	})
	t.Run("its role for somebody else", func(t *testing.T) {
		foreign := binding(naming.Namespace(acme))
		foreign.Subjects[0].Name = "somebody"
		refused(t, operator.Create(t.Context(), foreign, client.DryRunAll))
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
		refused(t, operator.Patch(t.Context(), tenant, client.MergeFrom(before), client.DryRunAll))
	})
}

func TestATenantIsNotDeletedWithoutItsNameOnTheOrder(t *testing.T) {
	r := record(t, sectionAdmission, "a deletion of tenants without their names on the order")
	tenant := &v1alpha1.ChatTenant{ObjectMeta: metav1.ObjectMeta{Name: acme}}
	r.mustRefuse(t, policyDeletion, live.Delete(t.Context(), tenant, client.DryRunAll))
	r.mustRefuse(t, policyDeletion, live.DeleteAllOf(t.Context(), &v1alpha1.ChatTenant{}, client.DryRunAll))
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: naming.Namespace(acme)}}
	r.mustRefuse(t, policyNamespaces, live.Delete(t.Context(), namespace, client.DryRunAll))
}

func TestAHostThatAnotherTenantHasIsRefused(t *testing.T) {
	r := record(t, sectionAdmission, "a host that another tenant has, for a new tenant and an old one")
	taken := getTenant(t, acme).Spec.Endpoint.Host
	rival := newTenant("rival")
	rival.Spec.Endpoint.Host = taken
	r.mustRefuse(t, policyHosts, live.Create(t.Context(), rival, client.DryRunAll))
	mover := getTenant(t, globex)
	before := mover.DeepCopy()
	mover.Spec.Endpoint.Host = taken
	r.mustRefuse(t, policyHosts, live.Patch(t.Context(), mover, client.MergeFrom(before), client.DryRunAll))
	mover.Spec.Endpoint.Host = "moved.localhost"
	if err := live.Patch(t.Context(), mover, client.MergeFrom(before), client.DryRunAll); err != nil {
		t.Errorf("a host that nobody has: %v", err)
	}
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
