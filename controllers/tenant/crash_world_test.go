// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"fmt"
	"testing"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// world stands in for cert-manager, the workload controllers, the scheduler, kubelets and the namespace controller, of
// one tenant. It acts in steps, so that what the operator meets is the same in every run.
type world struct {
	client.Client
	wire      *wire
	namespace string
	// acted says that the step under way changed something.
	acted bool
}

func newWorld(t *testing.T, tenant string) *world {
	t.Helper()
	c, w := wired(t, config)
	return &world{Client: c, wire: w, namespace: naming.Namespace(tenant)}
}

// step lets everybody act once. It answers whether anybody did.
func (w *world) step(t *testing.T) bool {
	t.Helper()
	w.acted = false
	namespace := &corev1.Namespace{}
	err := w.Get(t.Context(), client.ObjectKey{Name: w.namespace}, namespace)
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		t.Fatal(err)
	case namespace.DeletionTimestamp != nil:
		w.emptyNamespace(t, namespace)
	default:
		w.issueCertificates(t)
		w.runDatabase(t)
		w.runChatServer(t)
	}
	return w.acted
}

// do makes a change, whoever was faster notwithstanding.
func (w *world) do(t *testing.T, err error) {
	t.Helper()
	if client.IgnoreNotFound(client.IgnoreAlreadyExists(err)) != nil {
		t.Fatal(err)
	}
	w.acted = true
}

func (w *world) issueCertificates(t *testing.T) {
	t.Helper()
	certificates := &cmv1.CertificateList{}
	if err := w.List(t.Context(), certificates, client.InNamespace(w.namespace)); err != nil {
		t.Fatal(err)
	}
	for i := range certificates.Items {
		c := &certificates.Items[i]
		ready := certificateCondition(c, cmv1.CertificateConditionReady)
		if current(c, ready) {
			continue
		}
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: c.Spec.SecretName},
			Type: corev1.SecretTypeTLS, Data: map[string][]byte{"tls.crt": {}, "tls.key": {}}}
		w.do(t, w.Create(t.Context(), secret))
		c.Status.Conditions = []cmv1.CertificateCondition{{
			Type: cmv1.CertificateConditionReady, Status: cmmeta.ConditionTrue, ObservedGeneration: c.Generation,
			LastTransitionTime: &metav1.Time{Time: c.CreationTimestamp.Time}, Reason: "Ready",
		}}
		w.do(t, w.Status().Update(t.Context(), c))
	}
}

func (w *world) runDatabase(t *testing.T) {
	t.Helper()
	set := &appsv1.StatefulSet{}
	err := w.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: naming.Postgres}, set)
	if apierrors.IsNotFound(err) {
		w.keepPods(t, naming.Postgres, 0)
		return
	} else if err != nil {
		t.Fatal(err)
	}
	w.bindVolume(t, &set.Spec.VolumeClaimTemplates[0])
	w.keepPods(t, naming.Postgres, 1)
	status := appsv1.StatefulSetStatus{ObservedGeneration: set.Generation, Replicas: 1, ReadyReplicas: 1,
		CurrentRevision: "r", UpdateRevision: "r"}
	if !apiequality.Semantic.DeepEqual(set.Status, status) {
		set.Status = status
		w.do(t, w.Status().Update(t.Context(), set))
	}
}

func (w *world) runChatServer(t *testing.T) {
	t.Helper()
	deployment := &appsv1.Deployment{}
	err := w.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: naming.ChatServer}, deployment)
	if apierrors.IsNotFound(err) {
		w.keepPods(t, naming.ChatServer, 0)
		return
	} else if err != nil {
		t.Fatal(err)
	}
	n := *deployment.Spec.Replicas
	w.keepPods(t, naming.ChatServer, int(n))
	status := appsv1.DeploymentStatus{ObservedGeneration: deployment.Generation, Replicas: n, UpdatedReplicas: n,
		ReadyReplicas: n, AvailableReplicas: n}
	if !apiequality.Semantic.DeepEqual(deployment.Status, status) {
		deployment.Status = status
		w.do(t, w.Status().Update(t.Context(), deployment))
	}
}

// keepPods starts pods of a component or ends them.
func (w *world) keepPods(t *testing.T, component string, n int) {
	t.Helper()
	pods := &corev1.PodList{}
	err := w.List(t.Context(), pods, client.InNamespace(w.namespace), client.MatchingLabels{v1alpha1.LabelName: component})
	if err != nil {
		t.Fatal(err)
	}
	for i := len(pods.Items) - 1; i >= n; i-- {
		w.do(t, w.Delete(t.Context(), &pods.Items[i], client.GracePeriodSeconds(0)))
	}
	for i := len(pods.Items); i < n; i++ {
		w.do(t, w.Create(t.Context(), w.pod(component, fmt.Sprintf("%s-%d", component, i), crashNode)))
	}
}

// pod is one on a node already.
func (w *world) pod(component, name, node string) *corev1.Pod {
	tenant, _ := naming.TenantOf(w.namespace)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name, Labels: map[string]string{
			v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelName: component, v1alpha1.LabelTenant: tenant,
		}},
		Spec: corev1.PodSpec{
			NodeName: node, ServiceAccountName: component, AutomountServiceAccountToken: new(false),
			SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{
				Type: corev1.SeccompProfileTypeRuntimeDefault}},
			Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
			Containers: []corev1.Container{{Name: component, Image: component, SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			}}},
		},
	}
}

// bindVolume makes the claim that the StatefulSet controller would, and the volume that its storage would.
func (w *world) bindVolume(t *testing.T, template *corev1.PersistentVolumeClaim) {
	t.Helper()
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{
		Namespace: w.namespace, Name: template.Name + "-postgres-0", Labels: template.Labels}}
	err := w.Get(t.Context(), client.ObjectKeyFromObject(claim), claim)
	if err == nil {
		return
	} else if !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	claim.Spec = template.Spec
	claim.Spec.VolumeName = "pv-" + w.namespace
	w.do(t, w.Create(t.Context(), claim))
	w.do(t, w.Create(t.Context(), localVolume(claim.Spec.VolumeName, crashNode, claim)))
}

// emptyNamespace does what the namespace controller does, without its rounds.
func (w *world) emptyNamespace(t *testing.T, namespace *corev1.Namespace) {
	t.Helper()
	for _, o := range inventory(t, w, w.namespace) {
		w.do(t, w.Delete(t.Context(), o, client.GracePeriodSeconds(0)))
		if len(o.GetFinalizers()) > 0 {
			w.do(t, w.Patch(t.Context(), o, client.RawPatch("application/merge-patch+json",
				[]byte(`{"metadata":{"finalizers":null}}`))))
		}
	}
	volume := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv-" + w.namespace}}
	w.do(t, w.Delete(t.Context(), volume))
	w.do(t, w.Patch(t.Context(), volume, client.RawPatch("application/merge-patch+json",
		[]byte(`{"metadata":{"finalizers":null}}`))))
	namespace.Spec.Finalizers = nil
	w.do(t, w.SubResource("finalize").Update(t.Context(), namespace))
}

// localVolume is a volume on one node, bound to a claim.
func localVolume(name, node string, claim *corev1.PersistentVolumeClaim) *corev1.PersistentVolume {
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:         corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			StorageClassName: "local-eu-central",
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				Local: &corev1.LocalVolumeSource{Path: "/var/lib/" + name}},
			ClaimRef: &corev1.ObjectReference{Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name,
				UID: claim.UID},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: "kubernetes.io/hostname", Operator: corev1.NodeSelectorOpIn, Values: []string{node}}}}}}},
		},
	}
}
