// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// SubProcessorApproval says how a tenant's new recipients become effective.
// +kubebuilder:validation:Enum=AfterNotice;Manual
type SubProcessorApproval string

// How a tenant's new recipients become effective.
const (
	// ApprovalAfterNotice makes a recipient effective when the notice period has passed without objection.
	ApprovalAfterNotice SubProcessorApproval = "AfterNotice"
	// ApprovalManual makes a recipient effective when, besides, it is listed as approved.
	ApprovalManual SubProcessorApproval = "Manual"
)

// DefaultNoticeDays is the notice period of a policy that names none.
const DefaultNoticeDays = 30

// SubProcessorPolicy says which recipients a tenant uses and how new ones become effective.
// +kubebuilder:validation:XValidation:rule="!has(self.approvals) || self.approval == 'Manual'",message="approvals are only allowed for approval Manual: under AfterNotice nothing waits for one"
// +kubebuilder:validation:XValidation:rule="!has(self.approvals) || !has(self.objections) || self.approvals.all(a, !self.objections.exists(o, o.name == a.name))",message="a recipient is either approved or objected to: take it out of approvals or of objections"
type SubProcessorPolicy struct {
	// approval says how new recipients become effective.
	// +required
	Approval SubProcessorApproval `json:"approval,omitempty"`

	// noticeDays is the notice period in days, counted from a recipient's noticedAt. It defaults to 30.
	// +optional
	// +default=30
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=365
	NoticeDays *int32 `json:"noticeDays,omitempty"`

	// use lists the recipients this tenant uses. Nothing else is ever reachable for it.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Use []SubProcessorUse `json:"use,omitempty"`

	// approvals lists the recipients this tenant's customer approved, for approval Manual.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Approvals []SubProcessorConsent `json:"approvals,omitempty"`

	// objections lists the recipients this tenant's customer objected to; they stay unreachable, and so does a recipient
	// that engages one of them.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Objections []SubProcessorObjection `json:"objections,omitempty"`
}

// SubProcessorUse names a recipient a tenant uses.
type SubProcessorUse struct {
	// name is the SubProcessor's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`
}

// SubProcessorConsent records a customer's approval.
type SubProcessorConsent struct {
	// name is the SubProcessor's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`

	// approvedOn is the day of the approval; before it the recipient is not effective.
	// +required
	ApprovedOn Date `json:"approvedOn,omitempty"`
}

// SubProcessorObjection records a customer's objection.
type SubProcessorObjection struct {
	// name is the SubProcessor's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`

	// reason is what the customer said, without personal data.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=500
	Reason string `json:"reason,omitempty"`
}

// RecipientState is what a recipient is to a tenant.
// +kubebuilder:validation:Enum=Effective;Pending;Objected;Retired
type RecipientState string

// What a recipient is to a tenant.
const (
	// RecipientEffective: it may be given data.
	RecipientEffective RecipientState = "Effective"
	// RecipientPending: it may not be given data yet.
	RecipientPending RecipientState = "Pending"
	// RecipientObjected: the customer objected to it.
	RecipientObjected RecipientState = "Objected"
	// RecipientRetired: it was effective once and is used no more, or is not recorded any more.
	RecipientRetired RecipientState = "Retired"
)

// RecipientReason says why a recipient is in its state.
// +kubebuilder:validation:Enum=InEffect;Engaged;NoticeRunning;NotYetEffective;ApprovalMissing;CustomerObjected;RecordMissing;ChainBroken;OutsideJurisdictions;NoLongerUsed
type RecipientReason string

// Why a recipient is in its state.
const (
	// RecipientInEffect: its days have come and nobody objected.
	RecipientInEffect RecipientReason = "InEffect"
	// RecipientEngaged: a recipient that the tenant uses engages it; the tenant itself does not reach it.
	RecipientEngaged RecipientReason = "Engaged"
	// RecipientNoticeRunning: the tenant's notice period has not passed.
	RecipientNoticeRunning RecipientReason = "NoticeRunning"
	// RecipientNotYetEffective: its effectiveFrom has not come.
	RecipientNotYetEffective RecipientReason = "NotYetEffective"
	// RecipientApprovalMissing: the tenant approves by hand and has not, or only from a later day.
	RecipientApprovalMissing RecipientReason = "ApprovalMissing"
	// RecipientCustomerObjected: the customer objected to it, to one that it engages, or to one that engages it.
	RecipientCustomerObjected RecipientReason = "CustomerObjected"
	// RecipientRecordMissing: there is no SubProcessor of that name.
	RecipientRecordMissing RecipientReason = "RecordMissing"
	// RecipientChainBroken: a parent is missing, or the parents lead in a circle.
	RecipientChainBroken RecipientReason = "ChainBroken"
	// RecipientOutside: it, one that it engages or one that engages it has a location outside the tenant's jurisdictions.
	RecipientOutside RecipientReason = "OutsideJurisdictions"
	// RecipientNoLongerUsed: the tenant does not use it any more.
	RecipientNoLongerUsed RecipientReason = "NoLongerUsed"
)

// SubProcessorStatus is what one recipient is to a tenant. Since and until bound the time in which it may have been
// given data: the way to it is opened only after since was recorded, and closed before until is.
type SubProcessorStatus struct {
	// name is the SubProcessor's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// legalName is the recipient's registered name, absent if its record was never seen.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	LegalName string `json:"legalName,omitempty"`

	// state is what the recipient is to this tenant.
	// +required
	State RecipientState `json:"state,omitempty"`

	// reason says why.
	// +required
	Reason RecipientReason `json:"reason,omitempty"`

	// because names another recipient that the reason lies in: the one that engages this one, or the link of its chain
	// that is missing, objected to or outside.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Because string `json:"because,omitempty"`

	// expectedFrom is the day on which a pending recipient becomes effective if nothing is changed, absent where it does
	// not by itself.
	// +optional
	ExpectedFrom Date `json:"expectedFrom,omitempty"`

	// since is when it first became effective for this tenant, absent if it never did.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`

	// until is when it last ceased to be effective, absent while it is.
	// +optional
	Until *metav1.Time `json:"until,omitempty"`

	// endpoints are the hosts and ports that the egress gateway opens while it is effective, and afterwards those that it
	// opened last. One that is only engaged by another has none.
	// +optional
	// +listType=map
	// +listMapKey=host
	// +listMapKey=port
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Endpoints []RecipientEndpoint `json:"endpoints,omitempty"`
}
