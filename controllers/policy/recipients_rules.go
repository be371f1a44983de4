// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"

	"github.com/chattenant/chattenant/api/v1alpha1"
)

// recipientsWithinResidency stops a tenant before anything is created. One that exists already goes on, with the
// recipient closed: its condition says so.
func recipientsWithinResidency(in Input) (string, string, bool) {
	i := slices.IndexFunc(in.Recipients.List, func(r v1alpha1.SubProcessorStatus) bool {
		return r.Reason == v1alpha1.RecipientOutside
	})
	if i < 0 || in.created() {
		return "", "", false
	}
	return v1alpha1.ReasonResidencyViolated, OutsideMessage(in.Recipients.List[i], in.Tenant) +
		". Take it out of spec.subProcessors.use, or correct spec.residency", true
}

// OutsideMessage says which recipient lies outside which jurisdictions, by whom.
func OutsideMessage(r v1alpha1.SubProcessorStatus, tenant *v1alpha1.ChatTenant) string {
	who := fmt.Sprintf("SubProcessor %q has", r.Name)
	if r.Because != "" {
		who = fmt.Sprintf("SubProcessor %q stands in one chain with %q, which has", r.Name, r.Because)
	}
	return fmt.Sprintf("%s a location outside spec.residency.jurisdictions (%s)", who, join(jurisdictions(tenant)))
}

// backupStoreWithinResidency holds the region's backup store to the same bounds: a store that nobody is known to run
// could be anywhere.
func backupStoreWithinResidency(in Input) (string, string, bool) {
	allowed := jurisdictions(in.Tenant)
	if in.Region == nil || in.Region.Spec.BackupStore == nil || len(allowed) == 0 || in.created() {
		return "", "", false
	}
	name := in.Region.Spec.BackupStore.SubProcessor
	return v1alpha1.ReasonResidencyViolated, fmt.Sprintf(
		"The backup store of DataRegion %q is run by SubProcessor %q, which is not known to lie within "+
			"spec.residency.jurisdictions (%s) with all that engage it. Create the tenant in another region, or correct "+
			"spec.residency", in.Region.Name, name, join(allowed)), !chainWithin(in.Records, name, allowed)
}

func chainWithin(records map[string]*v1alpha1.SubProcessor, name string, allowed []v1alpha1.Jurisdiction) bool {
	if records[name] == nil {
		return false
	}
	d := newDecision(RecipientFacts{Records: records, Jurisdictions: allowed})
	parents, broken := d.chain(name)
	found, _ := d.outside(append([]string{name}, parents...))
	return broken == "" && !found
}

func egressImageKnown(in Input) (string, string, bool) {
	// A field that cannot be understood is reported where it is used.
	needs, _ := Needs(in.Tenant)
	if in.Class == nil || !in.Recipients.Declared && len(needs) == 0 {
		return "", "", false
	}
	message := fmt.Sprintf("A recipient in spec.subProcessors.use has endpoints, or spec.encryption a key service, which "+
		"only an egress gateway can open. Set spec.images.egressGateway of ChatTenantClass %q", in.Class.Name)
	return v1alpha1.ReasonEgressImageMissing, message, in.Class.Spec.Images.EgressGateway == ""
}

// created says whether the tenant has begun to exist: its namespace was made for it, not for one whose data it takes
// up.
func (in Input) created() bool {
	return in.Namespace != nil && in.Namespace.Annotations[v1alpha1.AnnotationTenantUID] == string(in.Tenant.UID)
}

func jurisdictions(tenant *v1alpha1.ChatTenant) []v1alpha1.Jurisdiction {
	if tenant.Spec.Residency == nil {
		return nil
	}
	return tenant.Spec.Residency.Jurisdictions
}
