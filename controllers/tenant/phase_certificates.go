// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"context"
	"fmt"
	"slices"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"

	"k8s.io/utils/ptr"

	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/desired"
)

// certificates asks cert-manager for the tenant's internal authority and its certificates.
func (r *Reconciler) certificates(ctx context.Context, s *scope) (outcome, error) {
	intents := desired.Certificates(r.input(s))
	if s.fresh(v1alpha1.ConditionCertificatesReady) {
		if foreign, err := r.foreignCertificateSecret(ctx, s, intents); foreign != nil || err != nil {
			return ptr.Deref(foreign, outcome{}), err
		}
	}
	if _, err := r.applyAll(ctx, s, intents...); err != nil {
		return outcome{}, err
	}
	if problem := issuerProblem(s); problem != "" {
		return outcome{stalled, v1alpha1.ReasonCertificatesFailed, problem}, nil
	}
	for _, intent := range intents {
		if *intent.GetKind() != cmv1.CertificateKind {
			continue
		}
		if result := certificateOutcome(s, *intent.GetName()); result.progress != done {
			return result, nil
		}
	}
	return outcome{done, v1alpha1.ReasonCertificatesIssued, "Every certificate is issued and valid"}, nil
}

func issuerProblem(s *scope) string {
	name := s.facts.Class.Spec.IssuerRef.Name
	if s.issuer == nil {
		return fmt.Sprintf("There is no ClusterIssuer %q. Create it, or change spec.issuerRef of ChatTenantClass %q",
			name, s.facts.Class.Name)
	}
	for _, c := range s.issuer.Status.Conditions {
		if c.Type == cmv1.IssuerConditionReady && c.Status == cmmeta.ConditionFalse {
			return fmt.Sprintf("ClusterIssuer %q is not ready: %s. See: kubectl describe clusterissuer %[1]s", name, c.Message)
		}
	}
	return ""
}

func certificateOutcome(s *scope, name string) outcome {
	cert := s.certificates[name]
	hint := fmt.Sprintf("See: kubectl -n %s describe certificate,certificaterequest", s.namespace())
	if cert == nil {
		return outcome{waiting, v1alpha1.ReasonCertificatesPending, fmt.Sprintf("Certificate %q was requested", name)}
	}
	if ready := certificateCondition(cert, cmv1.CertificateConditionReady); current(cert, ready) &&
		ready.Status == cmmeta.ConditionTrue {
		return outcome{progress: done}
	}
	issuing := certificateCondition(cert, cmv1.CertificateConditionIssuing)
	if issuing != nil && issuing.Reason == "Failed" {
		return outcome{stalled, v1alpha1.ReasonCertificatesFailed, fmt.Sprintf(
			"Issuer %q did not issue certificate %q: %s. %s", cert.Spec.IssuerRef.Name, name, issuing.Message, hint)}
	}
	return outcome{waiting, v1alpha1.ReasonCertificatesPending, fmt.Sprintf(
		"Issuer %q has not issued certificate %q yet. %s", cert.Spec.IssuerRef.Name, name, hint)}
}

func certificateCondition(cert *cmv1.Certificate, kind cmv1.CertificateConditionType) *cmv1.CertificateCondition {
	i := slices.IndexFunc(cert.Status.Conditions, func(c cmv1.CertificateCondition) bool { return c.Type == kind })
	if i < 0 {
		return nil
	}
	return &cert.Status.Conditions[i]
}

// current says whether a condition speaks of the certificate as it is asked for now.
func current(cert *cmv1.Certificate, c *cmv1.CertificateCondition) bool {
	return c != nil && c.ObservedGeneration == cert.Generation
}
