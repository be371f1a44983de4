// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"fmt"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/desired"
	"github.com/chattenant/chattenant/controllers/policy"
)

// scope holds every fact of one pass. gather sets the facts; phases read them and set outcomes; status.go turns
// outcomes into conditions.
type scope struct {
	// tenant is the object as it was read; it is never changed. status is what will be written.
	tenant *v1alpha1.ChatTenant
	status *v1alpha1.ChatTenantStatus

	// facts are what rules decide on.
	facts policy.Input
	// issuer is the class's ClusterIssuer, nil if there is none or no class.
	issuer *cmv1.ClusterIssuer
	// The tenant's own workloads and Services as they were last seen, nil until they exist.
	postgresService *corev1.Service
	database        *appsv1.StatefulSet
	chatServer      *appsv1.Deployment
	trust           *corev1.ConfigMap
	egressService   *corev1.Service
	egress          *appsv1.Deployment
	// certificates, pods and claims are what the tenant's namespace holds; pods may be on their way out.
	certificates map[string]*cmv1.Certificate
	pods         []corev1.Pod
	claims       []corev1.PersistentVolumeClaim
	// jobs are the operator's own in the namespace. policies are all network policies there, whoever made them.
	jobs     []batchv1.Job
	policies []networkingv1.NetworkPolicy
	// volumes are those that claims are bound to, by volume name. nodes are all nodes, labels and taints only; they are
	// the cache's own and must not be changed.
	volumes map[string]*corev1.PersistentVolume
	nodes   []corev1.Node
	// neighbours are the other tenants with pods on the nodes of this one's, by node: only of a tenant whose class asks
	// for dedicated nodes.
	neighbours map[string][]string

	// uncontrolled means that probes are due and wait for something that must be open to them.
	uncontrolled bool

	// paused, violation, deleting and outcomes are what the pass found. outcomes has an entry per condition that was
	// evaluated.
	paused    bool
	violation *policy.Violation
	deleting  *outcome
	// gone means that the tenant's finalizer was removed: there is no status left to write.
	gone     bool
	outcomes map[string]outcome
	// applied lists what phases want, for pruning. It is complete only if every phase was run and undecided is false: no
	// phase lacked a fact without which it cannot say what it wants.
	applied   []desired.Object
	undecided bool
	// keysUnknown means that the pass could not say which key-encryption keys the chat server is to have.
	keysUnknown bool
	// requeueAfter asks for another pass where no watch would; zero asks for none.
	requeueAfter time.Duration
}

// requeue asks for another pass after d, or earlier if one was asked for already.
func (s *scope) requeue(d time.Duration) {
	if s.requeueAfter == 0 || d < s.requeueAfter {
		s.requeueAfter = d
	}
}

func (s *scope) namespace() string { return naming.Namespace(s.tenant.Name) }

// input is what the builders of desired objects get.
func (r *Reconciler) input(s *scope) desired.Input {
	in := desired.Input{
		Tenant: s.tenant, Class: s.facts.Class, Region: s.facts.Region, System: r.System, KeyGeneration: firstKeyGeneration,
	}
	if s.status.Encryption != nil {
		in.KeyGeneration = s.status.Encryption.KeyGeneration
	}
	if s.postgresService != nil {
		in.PostgresAddress = s.postgresService.Spec.ClusterIP
	}
	in.Egress = s.egressInput()
	return in
}

// gather reads every fact of the pass once, all from the cache.
func (r *Reconciler) gather(ctx context.Context, tenant *v1alpha1.ChatTenant) (*scope, error) {
	s := &scope{
		tenant: tenant, status: tenant.Status.DeepCopy(), outcomes: map[string]outcome{},
		facts: policy.Input{Tenant: tenant},
	}
	for _, read := range []func(context.Context, *scope) error{
		r.gatherPrerequisites, r.gatherRecipients, r.gatherTrust, r.gatherWorkloads, r.gatherCertificates, r.gatherPlaces,
		r.gatherProbes,
	} {
		if err := read(ctx, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// +kubebuilder:rbac:groups=chattenant.io,resources=chattenantclasses;dataregions,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=cert-manager.io,resources=clusterissuers,verbs=get;list;watch

func (r *Reconciler) gatherPrerequisites(ctx context.Context, s *scope) error {
	spec := s.tenant.Spec
	var err error
	if s.facts.Class, err = find[v1alpha1.ChatTenantClass](ctx, r.Client, "", spec.ClassName); err != nil {
		return err
	}
	if s.facts.Region, err = find[v1alpha1.DataRegion](ctx, r.Client, "", spec.Region); err != nil {
		return err
	}
	if s.facts.Namespace, err = find[corev1.Namespace](ctx, r.Client, "", s.namespace()); err != nil {
		return err
	}
	if s.facts.Class != nil {
		if s.issuer, err = find[cmv1.ClusterIssuer](ctx, r.Client, "", s.facts.Class.Spec.IssuerRef.Name); err != nil {
			return err
		}
		if s.facts.RuntimeClass, err = r.findRuntimeClass(ctx, s.facts.Class); err != nil {
			return err
		}
	}
	claimants := &v1alpha1.ChatTenantList{}
	if err := r.Client.List(ctx, claimants, client.MatchingFields{indexHost: spec.Endpoint.Host}); err != nil {
		return fmt.Errorf("list tenants by host: %w", err)
	}
	s.facts.Claimants = claimants.Items
	return nil
}

// +kubebuilder:rbac:groups=apps,resources=deployments;statefulsets,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=pods;services,verbs=get;list;watch

func (r *Reconciler) gatherWorkloads(ctx context.Context, s *scope) error {
	var err error
	if s.postgresService, err = find[corev1.Service](ctx, r.Client, s.namespace(), naming.Postgres); err != nil {
		return err
	}
	if s.database, err = find[appsv1.StatefulSet](ctx, r.Client, s.namespace(), naming.Postgres); err != nil {
		return err
	}
	if s.chatServer, err = find[appsv1.Deployment](ctx, r.Client, s.namespace(), naming.ChatServer); err != nil {
		return err
	}
	pods := &corev1.PodList{}
	if err := r.Client.List(ctx, pods, client.InNamespace(s.namespace())); err != nil {
		return fmt.Errorf("list pods: %w", err)
	}
	s.pods = pods.Items
	return nil
}

// +kubebuilder:rbac:groups=cert-manager.io,resources=certificates;issuers,verbs=get;list;watch

func (r *Reconciler) gatherCertificates(ctx context.Context, s *scope) error {
	list := &cmv1.CertificateList{}
	if err := r.Client.List(ctx, list, client.InNamespace(s.namespace())); err != nil {
		return fmt.Errorf("list certificates: %w", err)
	}
	s.certificates = make(map[string]*cmv1.Certificate, len(list.Items))
	for i := range list.Items {
		s.certificates[list.Items[i].Name] = &list.Items[i]
	}
	return nil
}

// find answers nil without error where the object does not exist.
func find[T any, P interface {
	*T
	client.Object
}](ctx context.Context, reader client.Reader, namespace, name string) (*T, error) {
	object := P(new(T))
	if err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return nil, nil //nolint:nilnil // nil is the answer to "is there one", as documented.
		}
		return nil, fmt.Errorf("read %T %s/%s: %w", object, namespace, name, err)
	}
	return object, nil
}
