// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Date is a calendar day, YYYY-MM-DD, in UTC.
// +kubebuilder:validation:MinLength=10
// +kubebuilder:validation:MaxLength=10
// +kubebuilder:validation:Format=date
type Date string

// TransferGround is the legal ground of a transfer to a third country.
// +kubebuilder:validation:Enum=None;Adequacy;StandardContractualClauses;BindingCorporateRules
type TransferGround string

// Legal grounds of a transfer to a third country.
const (
	TransferNone                       TransferGround = "None"
	TransferAdequacy                   TransferGround = "Adequacy"
	TransferStandardContractualClauses TransferGround = "StandardContractualClauses"
	TransferBindingCorporateRules      TransferGround = "BindingCorporateRules"
)

// DataCategory is a category of data that a recipient receives.
// +kubebuilder:validation:Enum=AccountEmail;AccountIdentity;VisitorContact;VisitorAddress;Transcript;Attachment;Backup;KeyOperation;Aggregate
type DataCategory string

// SubProcessorSpec is the record of a recipient, as it is published. What customers were told cannot change
// afterwards: a recipient that does something else, somewhere else or by another way is another SubProcessor, with its
// own notice.
// +kubebuilder:validation:XValidation:rule="self.noticedAt <= self.effectiveFrom",message="effectiveFrom must not be before noticedAt: customers are told first"
// +kubebuilder:validation:XValidation:rule="self.legalName == oldSelf.legalName",message="legalName cannot change: customers were told; create another SubProcessor with its own notice"
// +kubebuilder:validation:XValidation:rule="self.purpose == oldSelf.purpose",message="purpose cannot change: customers were told; create another SubProcessor with its own notice"
// +kubebuilder:validation:XValidation:rule="self.dataCategories == oldSelf.dataCategories",message="dataCategories cannot change: customers were told; create another SubProcessor with its own notice"
// +kubebuilder:validation:XValidation:rule="self.locations == oldSelf.locations",message="locations cannot change: customers were told; create another SubProcessor with its own notice"
// +kubebuilder:validation:XValidation:rule="self.transfer == oldSelf.transfer",message="transfer cannot change: customers were told; create another SubProcessor with its own notice"
// +kubebuilder:validation:XValidation:rule="self.noticedAt == oldSelf.noticedAt",message="noticedAt cannot change: customers were told; create another SubProcessor with its own notice"
// +kubebuilder:validation:XValidation:rule="has(self.parent) == has(oldSelf.parent) && (!has(self.parent) || self.parent == oldSelf.parent)",message="parent cannot change: customers were told; create another SubProcessor with its own notice"
// +kubebuilder:validation:XValidation:rule="has(self.endpoints) == has(oldSelf.endpoints) && (!has(self.endpoints) || self.endpoints == oldSelf.endpoints)",message="endpoints cannot change: customers were told; create another SubProcessor with its own notice"
// +kubebuilder:validation:XValidation:rule="self.effectiveFrom >= oldSelf.effectiveFrom",message="effectiveFrom can only move later: customers were told of the day"
type SubProcessorSpec struct {
	// legalName is the recipient's registered name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	LegalName string `json:"legalName,omitempty"`

	// address is the recipient's postal address.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=300
	Address string `json:"address,omitempty"`

	// contact is where privacy questions go: an e-mail address or an https:// address.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=254
	Contact string `json:"contact,omitempty"`

	// purpose says what the recipient does with the data.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=500
	Purpose string `json:"purpose,omitempty"`

	// dataCategories are the categories of data it receives.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=9
	DataCategories []DataCategory `json:"dataCategories,omitempty"`

	// locations are the countries it processes data in.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	Locations []Jurisdiction `json:"locations,omitempty"`

	// transfer is the ground on which data leaves the controller's jurisdiction.
	// +required
	Transfer Transfer `json:"transfer,omitzero"`

	// parent names the SubProcessor whose sub-processor this is; without it, this one is engaged directly.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`
	Parent string `json:"parent,omitempty"`

	// endpoints are the only hosts and ports that data reaches this recipient by.
	// +optional
	// +listType=map
	// +listMapKey=host
	// +listMapKey=port
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Endpoints []RecipientEndpoint `json:"endpoints,omitempty"`

	// noticedAt is the day on which customers were told.
	// +required
	NoticedAt Date `json:"noticedAt,omitempty"`

	// effectiveFrom is the first day on which this recipient may be used.
	// +required
	EffectiveFrom Date `json:"effectiveFrom,omitempty"`

	// agreementURL is where the data processing agreement can be read.
	// +optional
	// +kubebuilder:validation:MinLength=9
	// +kubebuilder:validation:MaxLength=500
	// +kubebuilder:validation:Pattern=`^https://`
	AgreementURL string `json:"agreementURL,omitempty"`
}

// Transfer is the ground on which data leaves the controller's jurisdiction.
type Transfer struct {
	// ground is the legal ground; None where no data leaves.
	// +required
	Ground TransferGround `json:"ground,omitempty"`
}

// RecipientEndpoint is a host and port of a recipient.
type RecipientEndpoint struct {
	// host is the exact DNS name, lower case without trailing dot.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`
	Host string `json:"host,omitempty"`

	// port is the TCP port.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
}

// SubProcessor is a recipient of data: who it is, what it gets, where, on what ground and since when.
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,categories=chattenant-io,shortName=sp
// +kubebuilder:printcolumn:name="Legal Name",type=string,JSONPath=`.spec.legalName`
// +kubebuilder:printcolumn:name="Locations",type=string,JSONPath=`.spec.locations`
// +kubebuilder:printcolumn:name="Effective From",type=string,JSONPath=`.spec.effectiveFrom`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="metadata.name must have at most 63 characters"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.parent) || self.spec.parent != self.metadata.name",message="parent must name another SubProcessor"
type SubProcessor struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the published record.
	// +required
	Spec SubProcessorSpec `json:"spec,omitzero"`
}

// SubProcessorList is a list of SubProcessors.
// +kubebuilder:object:root=true
type SubProcessorList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	Items []SubProcessor `json:"items"`
}
