// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"bytes"
	"encoding/json"
	"net"
	"slices"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/chattenant/chattenant/api/trust"
	"github.com/chattenant/chattenant/api/v1alpha1"
)

// TrustConfigMap names the ConfigMap that holds the trust document. No pod restarts because of it: chat servers read it
// anew when it changes.
const TrustConfigMap = "trust"

// trustSchema is where the chat server serves the document's schema, beside the document.
const trustSchema = "trust.schema.json"

// TrustFacts are what the trust document tells besides what was declared of the tenant itself.
type TrustFacts struct {
	// Status is the tenant's, as it was written.
	Status *v1alpha1.ChatTenantStatus
	// Records are the SubProcessors that the status names, by name; those that were deleted are missing.
	Records map[string]*v1alpha1.SubProcessor
	// KeyHosts are the hosts, host:port, of the service that has the key which wraps the keysets, none for a Secret.
	// KeyHeldBy are the recipients whose endpoints these are.
	KeyHosts, KeyHeldBy []string
}

// proofs are the conditions that the document tells of, in this order.
var proofs = []string{
	v1alpha1.ConditionGuardrailsInPlace,
	v1alpha1.ConditionEncryptionReady,
	v1alpha1.ConditionCertificatesReady,
	v1alpha1.ConditionPlacementVerified,
	v1alpha1.ConditionSubProcessorsEnforced,
	v1alpha1.ConditionIsolationVerified,
}

// TrustDocument is what the tenant publishes about itself. It quotes no message of a condition: those name nodes and
// pods, which are nobody's business outside.
func TrustDocument(in Input, facts TrustFacts) Object {
	return own(in, componentChatServer, corev1ac.ConfigMap(TrustConfigMap, in.namespace())).
		WithData(map[string]string{trust.FileName: encodeTrust(trustDocument(in, facts))})
}

func trustDocument(in Input, facts TrustFacts) *trust.Document {
	spec := in.Tenant.Spec
	return &trust.Document{
		Schema: trustSchema, Version: trust.Version, Tenant: in.Tenant.Name,
		Controller: trust.Controller{Name: spec.DisplayName, PrivacyPolicy: spec.Privacy.PolicyURL},
		Processor:  trustProcessor(in.Class.Spec.Processor),
		Region: trust.Region{
			Name: in.Region.Name, DisplayName: in.Region.Spec.DisplayName,
			Jurisdiction: string(in.Region.Spec.Jurisdiction),
		},
		Jurisdictions: trustJurisdictions(spec.Residency),
		SubProcessors: trustRecipients(facts),
		Encryption:    trustEncryption(in.Tenant, facts),
		Retention:     trustRetention(spec.Privacy.Retention),
		Backups:       trustBackups(spec.Backup),
		Proofs:        trustProofs(facts.Status),
	}
}

// encodeTrust writes for people too: the document is short and read by some as it is.
func encodeTrust(document *trust.Document) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	// The type holds strings, integers, times and lists of them: nothing that could fail to marshal.
	_ = encoder.Encode(document)
	return out.String()
}

func trustProcessor(p *v1alpha1.Processor) *trust.Organisation {
	if p == nil {
		return nil
	}
	return &trust.Organisation{LegalName: p.LegalName, Address: p.Address, Contact: p.Contact}
}

func trustJurisdictions(r *v1alpha1.Residency) []string {
	if r == nil {
		return nil
	}
	return sorted(r.Jurisdictions)
}

func trustRecipients(facts TrustFacts) []trust.SubProcessor {
	list := []trust.SubProcessor{}
	for _, r := range facts.Status.SubProcessors {
		list = append(list, trust.SubProcessor{
			Name: r.Name, State: trust.State(r.State), ExpectedFrom: string(r.ExpectedFrom),
			Since: moment(r.Since), Until: moment(r.Until), Record: trustRecord(facts.Records[r.Name]),
		})
	}
	return list
}

func trustRecord(record *v1alpha1.SubProcessor) *trust.Record {
	if record == nil {
		return nil
	}
	s := record.Spec
	var hosts []string
	for _, e := range s.Endpoints {
		hosts = append(hosts, net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))))
	}
	slices.Sort(hosts)
	return &trust.Record{
		Organisation: trust.Organisation{LegalName: s.LegalName, Address: s.Address, Contact: s.Contact},
		Purpose:      s.Purpose, DataCategories: sorted(s.DataCategories), Locations: sorted(s.Locations),
		TransferGround: string(s.Transfer.Ground), EngagedBy: s.Parent, Hosts: hosts,
		NoticedAt: string(s.NoticedAt), EffectiveFrom: string(s.EffectiveFrom), Agreement: s.AgreementURL,
	}
}

// trustEncryption tells of the key that wraps the keysets: during a rotation that is still the one of before.
func trustEncryption(tenant *v1alpha1.ChatTenant, facts TrustFacts) trust.Encryption {
	declared, status := tenant.Spec.Encryption, facts.Status.Encryption
	out := trust.Encryption{KeyProvider: string(declared.External(ActiveKey(tenant, facts.Status)).Provider())}
	if len(facts.KeyHosts) > 0 {
		out.KeyService = &trust.KeyService{Hosts: sorted(facts.KeyHosts), HeldBy: facts.KeyHeldBy}
	}
	if status != nil {
		out.KeyGeneration, out.LastRotation = status.ActiveGeneration, moment(status.LastRotationTime)
	}
	return out
}

// ActiveKey is the generation of the key that wraps the keysets, as far as the status knows, else the newest declared.
func ActiveKey(tenant *v1alpha1.ChatTenant, status *v1alpha1.ChatTenantStatus) int64 {
	if status.Encryption != nil && status.Encryption.ActiveGeneration > 0 {
		return status.Encryption.ActiveGeneration
	}
	return tenant.Spec.Encryption.NewestKey()
}

func trustRetention(r *v1alpha1.Retention) trust.Retention {
	if r == nil {
		return trust.Retention{}
	}
	return trust.Retention{
		TranscriptDays: r.TranscriptDays, ContactDays: r.ContactDays, AttachmentDays: r.AttachmentDays,
		AuditDays: r.AuditDays,
	}
}

func trustBackups(b *v1alpha1.Backup) trust.Backups {
	if b == nil {
		return trust.Backups{}
	}
	return trust.Backups{EveryHours: b.EveryHours, KeepDays: b.KeepDays}
}

func trustProofs(status *v1alpha1.ChatTenantStatus) []trust.Proof {
	list := []trust.Proof{}
	for _, name := range proofs {
		i := slices.IndexFunc(status.Conditions, func(c metav1.Condition) bool { return c.Type == name })
		if i < 0 {
			continue
		}
		c := status.Conditions[i]
		list = append(list, trust.Proof{
			Name: name, Holds: string(c.Status), Reason: c.Reason, Since: *moment(&c.LastTransitionTime),
			Checked: checked(status, name),
		})
	}
	return list
}

// checked is when a proof was made that is not made all the time.
func checked(status *v1alpha1.ChatTenantStatus, name string) *time.Time {
	if name != v1alpha1.ConditionIsolationVerified || status.Isolation == nil {
		return nil
	}
	return moment(status.Isolation.LastProbeTime)
}

// moment is a time as the API server keeps it: in whole seconds. Otherwise what was just found would differ from the
// same, read back.
func moment(t *metav1.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC().Truncate(time.Second))
}

// sorted makes strings of a set: another order of the same set is no news.
func sorted[T ~string](set []T) []string {
	out := make([]string, len(set))
	for i, s := range set {
		out[i] = string(s)
	}
	slices.Sort(out)
	return out
}
