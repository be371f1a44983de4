// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"fmt"

	"k8s.io/utils/ptr"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/desired"
)

// databasePhase runs the tenant's PostgreSQL.
func (r *Reconciler) databasePhase(ctx context.Context, s *scope) (outcome, error) {
	if s.database == nil && s.fresh(v1alpha1.ConditionDatabaseReady) {
		for _, foreignThing := range []func(context.Context, *scope) (*outcome, error){r.foreignClaim, r.foreignVolume} {
			if foreign, err := foreignThing(ctx, s); foreign != nil || err != nil {
				return ptr.Deref(foreign, outcome{}), err
			}
		}
	}
	written, err := r.applyAll(ctx, s, desired.Database(r.input(s))...)
	if err != nil {
		return outcome{}, err
	}
	if written || !statefulSetAvailable(s.database) {
		return diagnose(s, naming.Postgres, "PostgreSQL is starting"), nil
	}
	return outcome{done, v1alpha1.ReasonDatabaseAvailable, "PostgreSQL accepts connections"}, nil
}

// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch

// chatServerPhase runs the chat server. It needs the addresses of the database and, where there is one, of the egress
// gateway: tenant pods resolve no names.
func (r *Reconciler) chatServerPhase(ctx context.Context, s *scope) (outcome, error) {
	in := r.input(s)
	if s.keysUnknown || in.Egress == nil && in.Tenant.Spec.Encryption.External(in.KeyGeneration) != nil {
		s.undecided = true
		return notEvaluated(v1alpha1.ConditionEncryptionReady), nil
	}
	if in.PostgresAddress == "" {
		s.undecided = true
		return outcome{waiting, v1alpha1.ReasonPodsStarting, "Waiting for the address of PostgreSQL"}, nil
	}
	if in.Egress != nil && in.Egress.Address == "" {
		s.undecided = true
		return outcome{waiting, v1alpha1.ReasonPodsStarting, "Waiting for the address of the egress gateway"}, nil
	}
	if err := r.beginTrust(ctx, s); err != nil {
		return outcome{}, err
	}
	written, err := r.applyAll(ctx, s, desired.ChatServer(in)...)
	if err != nil {
		return outcome{}, err
	}
	if written || !deploymentAvailable(s.chatServer) {
		return diagnose(s, naming.ChatServer, "Chat server replicas are starting"), nil
	}
	s.status.Versions = versions(s)
	r.noteRotation(s)
	return outcome{done, v1alpha1.ReasonChatServerAvailable,
		fmt.Sprintf("All %d replicas are ready", s.chatServer.Status.ReadyReplicas)}, nil
}

// endpoint reports what the ingress gateway needs: the host is this tenant's (a prerequisite) and pods are behind it.
func (r *Reconciler) endpoint(_ context.Context, s *scope) (outcome, error) {
	s.status.Endpoint = r.endpointStatus(s)
	url := s.status.Endpoint.URL
	if s.chatServer == nil || s.chatServer.Status.AvailableReplicas == 0 {
		return outcome{waiting, v1alpha1.ReasonEndpointNotServing, "No ready chat server is behind " + url}, nil
	}
	return outcome{done, v1alpha1.ReasonEndpointServing, "Serving " + url}, nil
}

func (r *Reconciler) endpointStatus(s *scope) *v1alpha1.EndpointStatus {
	status := &v1alpha1.EndpointStatus{URL: "https://" + s.tenant.Spec.Endpoint.Host}
	if r.PublicPort != 443 {
		status.URL = fmt.Sprintf("%s:%d", status.URL, r.PublicPort)
	}
	if cert := s.certificates[naming.EndpointCertificate]; cert != nil && cert.Status.NotAfter != nil {
		status.CertificateNotAfter, status.CertificateIssuer = cert.Status.NotAfter.DeepCopy(), cert.Spec.IssuerRef.Name
	}
	return status
}
