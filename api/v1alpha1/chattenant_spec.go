// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import "k8s.io/apimachinery/pkg/api/resource"

// Jurisdiction is an ISO 3166-1 alpha-2 country code, or one of the sets EU and EEA that contain their members.
// +kubebuilder:validation:MinLength=2
// +kubebuilder:validation:MaxLength=3
// +kubebuilder:validation:Pattern=`^([A-Z]{2}|EEA)$`
type Jurisdiction string

// Residency bounds the places a tenant's data may be in.
type Residency struct {
	// jurisdictions is the list of countries, or sets of countries, that data may be in. The tenant's region must lie in
	// one of them, or nothing is created.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	Jurisdictions []Jurisdiction `json:"jurisdictions,omitempty"`
}

// Endpoint is a tenant's own name on the network.
type Endpoint struct {
	// host is the DNS name of this tenant's endpoint, unique among all tenants, lower case without trailing dot. The older
	// tenant keeps a name that two claim.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`
	Host string `json:"host,omitempty"`

	// allowedOrigins are the sites that may show this tenant's widget, each https://host or https://host:port.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	AllowedOrigins []Origin `json:"allowedOrigins,omitempty"`
}

// Origin is a web origin, https://host or https://host:port, in lower case.
// +kubebuilder:validation:MinLength=9
// +kubebuilder:validation:MaxLength=267
// +kubebuilder:validation:Pattern=`^https://[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?$`
type Origin string

// VisitorAddress says what happens to a visitor's network address.
// +kubebuilder:validation:Enum=Drop;Truncate;Keep
type VisitorAddress string

// What happens to a visitor's network address.
const (
	// VisitorAddressDrop never stores it.
	VisitorAddressDrop VisitorAddress = "Drop"
	// VisitorAddressTruncate stores the network part.
	VisitorAddressTruncate VisitorAddress = "Truncate"
	// VisitorAddressKeep stores it where the visitor consented.
	VisitorAddressKeep VisitorAddress = "Keep"
)

// Privacy holds what visitors are promised.
// +kubebuilder:validation:XValidation:rule="!has(self.visitorAddress) || self.visitorAddress == 'Drop'",message="this release never stores visitors' addresses: leave visitorAddress out or set it to Drop"
// +kubebuilder:validation:XValidation:rule="!has(self.retention)",message="this release deletes nothing by age, so it cannot honour privacy.retention: leave the field out"
type Privacy struct {
	// policyURL is the customer's privacy policy, shown to visitors before their first word.
	// +required
	// +kubebuilder:validation:MinLength=9
	// +kubebuilder:validation:MaxLength=500
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() == 'https' && url(self).getHostname() != ''",message="policyURL must be an https:// address"
	PolicyURL string `json:"policyURL,omitempty"`

	// visitorAddress says what happens to a visitor's network address. It defaults to Drop.
	// +optional
	VisitorAddress VisitorAddress `json:"visitorAddress,omitempty"`

	// retention says after how many days data is deleted.
	// +optional
	Retention *Retention `json:"retention,omitempty"`
}

// Retention says after how many days data is deleted, per class of data.
// +kubebuilder:validation:MinProperties=1
type Retention struct {
	// transcriptDays is how long conversations are kept after their last message.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3650
	TranscriptDays int32 `json:"transcriptDays,omitempty"`

	// contactDays is how long contact data is kept after the visitor's last message.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3650
	ContactDays int32 `json:"contactDays,omitempty"`

	// attachmentDays is how long files are kept.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3650
	AttachmentDays int32 `json:"attachmentDays,omitempty"`

	// auditDays is how long the audit log is kept.
	// +optional
	// +kubebuilder:validation:Minimum=30
	// +kubebuilder:validation:Maximum=3650
	AuditDays int32 `json:"auditDays,omitempty"`
}

// TenantDatabase overrides the class's sizes for one tenant.
type TenantDatabase struct {
	// storageSize is the size of the database's volume, in place of the class's. It cannot change.
	// +required
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('256Mi')) >= 0",message="storageSize must be at least 256Mi: an empty database already takes much of that"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="storageSize cannot change: volumes are not resized in this release"
	StorageSize resource.Quantity `json:"storageSize,omitzero"`
}

// Backup schedules backups.
type Backup struct {
	// everyHours is the time between two backups.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=168
	EveryHours int32 `json:"everyHours,omitempty"`

	// keepDays is how long a backup is kept.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3650
	KeepDays int32 `json:"keepDays,omitempty"`
}

// Hibernation lets an idle tenant sleep.
type Hibernation struct {
	// idleAfterMinutes is how long no visitor and no agent may be connected before the tenant sleeps.
	// +required
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=10080
	IdleAfterMinutes int32 `json:"idleAfterMinutes,omitempty"`
}
