// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Condition types of a ChatTenant. Reconciling and Stalled follow kstatus: they are True only while something is under
// way or while a human has to act. All others are True when what they name holds.
const (
	// ConditionReady sums up: every phase is done and nothing is known to be wrong.
	ConditionReady = "Ready"
	// ConditionReconciling is True while the operator waits for something that will happen by itself.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True while the operator waits for a human; the message says what to do.
	ConditionStalled = "Stalled"
	// ConditionGuardrailsInPlace says that namespace, quota, accounts and network policies stand.
	ConditionGuardrailsInPlace = "GuardrailsInPlace"
	// ConditionEncryptionReady says that the key-encryption key exists, or that the service it lives in may be reached.
	ConditionEncryptionReady = "EncryptionReady"
	// ConditionCertificatesReady says that every certificate is issued and valid.
	ConditionCertificatesReady = "CertificatesReady"
	// ConditionDatabaseReady says that PostgreSQL accepts connections.
	ConditionDatabaseReady = "DatabaseReady"
	// ConditionSubProcessorsEnforced says that the network lets the tenant reach its effective recipients and no others,
	// as far as the operator can know: see docs/spec/chattenant.md.
	ConditionSubProcessorsEnforced = "SubProcessorsEnforced"
	// ConditionChatServerReady says that every chat server replica is ready and current.
	ConditionChatServerReady = "ChatServerReady"
	// ConditionEndpointReady says that the tenant's host is its own and has pods behind it.
	ConditionEndpointReady = "EndpointReady"
	// ConditionPlacementVerified says that every pod and volume was found in the tenant's region.
	ConditionPlacementVerified = "PlacementVerified"
	// ConditionIsolationVerified says that a probe inside the tenant found closed what must be closed. It is Unknown,
	// never True, where no probe came to a verdict.
	ConditionIsolationVerified = "IsolationVerified"
	// ConditionPaused is True while spec.reconciliation is Paused.
	ConditionPaused = "Paused"
	// ConditionDeleting is True while the tenant is being taken down.
	ConditionDeleting = "Deleting"
)

// Reasons that any condition may carry.
const (
	// ReasonReady is the reason of Ready when it is True.
	ReasonReady = "Ready"
	// ReasonNotEvaluated says that an earlier phase has to finish first.
	ReasonNotEvaluated = "NotEvaluated"
	// ReasonInternalError says that an API call failed; it is retried and the log has the error.
	ReasonInternalError = "InternalError"
	// ReasonIdle is the reason of Reconciling and Stalled when they are False.
	ReasonIdle = "Idle"
	// ReasonProgressing is the reason of Reconciling when it is True.
	ReasonProgressing = "Progressing"
)

// Reasons of facts that must hold before anything is created; each stalls the tenant.
const (
	// ReasonClassNotFound: spec.className names no ChatTenantClass.
	ReasonClassNotFound = "ClassNotFound"
	// ReasonRegionNotFound: spec.region names no DataRegion.
	ReasonRegionNotFound = "RegionNotFound"
	// ReasonRuntimeClassNotFound: the class's isolation.runtimeClassName names no RuntimeClass.
	ReasonRuntimeClassNotFound = "RuntimeClassNotFound"
	// ReasonResidencyViolated: the region, its backup store or a recipient lies outside spec.residency.jurisdictions.
	ReasonResidencyViolated = "ResidencyViolated"
	// ReasonEgressImageMissing: the tenant uses a recipient with endpoints, and its class has no images.egressGateway.
	ReasonEgressImageMissing = "EgressImageMissing"
	// ReasonHostTaken: an older tenant has the same spec.endpoint.host.
	ReasonHostTaken = "HostTaken"
	// ReasonNamespaceNotOurs: a namespace of the tenant's name exists and was not made for a ChatTenant.
	ReasonNamespaceNotOurs = "NamespaceNotOurs"
	// ReasonObjectNotOurs: a Secret, a volume claim or a volume is in the place of one that the tenant needs, and was
	// there before. It is left untouched; the message names it.
	ReasonObjectNotOurs = "ObjectNotOurs"
	// ReasonObjectRefused: an object of the tenant has something that can never be changed to what it must be; the
	// message names it.
	ReasonObjectRefused = "ObjectRefused"
	// ReasonKeyAnnounced: nobody has a Secret of the next key's name, which was written down before the key is made.
	ReasonKeyAnnounced = "KeyAnnounced"
	// ReasonNamespaceRetained: the namespace holds the data of an earlier tenant that spec.adoptUID does not name.
	ReasonNamespaceRetained = "NamespaceRetained"
	// ReasonNothingToAdopt: spec.adoptUID is set and no retained namespace has that record.
	ReasonNothingToAdopt = "NothingToAdopt"
	// ReasonDataElsewhere: the data to be adopted lies in another region than spec.region.
	ReasonDataElsewhere = "DataElsewhere"
	// ReasonNamespaceTerminating: the namespace is still being removed.
	ReasonNamespaceTerminating = "NamespaceTerminating"
)

// Reasons of the phases' conditions.
const (
	// ReasonGuardrailsApplied: namespace, quota, accounts and network policies stand.
	ReasonGuardrailsApplied = "GuardrailsApplied"
	// ReasonKeyCreated: the key-encryption key was created.
	ReasonKeyCreated = "KeyCreated"
	// ReasonKeyDeclared: the key-encryption key lives in a key service, which an effective recipient covers.
	ReasonKeyDeclared = "KeyDeclared"
	// ReasonKeyInvalid: a field of spec.encryption cannot be used; the message names it.
	ReasonKeyInvalid = "KeyInvalid"
	// ReasonCertificatesIssued: every certificate is issued and valid.
	ReasonCertificatesIssued = "CertificatesIssued"
	// ReasonCertificatesPending: cert-manager has not issued a certificate yet; the message quotes it.
	ReasonCertificatesPending = "CertificatesPending"
	// ReasonCertificatesFailed: cert-manager refused or failed; the message quotes it.
	ReasonCertificatesFailed = "CertificatesFailed"
	// ReasonDatabaseAvailable: PostgreSQL accepts connections.
	ReasonDatabaseAvailable = "DatabaseAvailable"
	// ReasonNothingReachable: no recipient is effective, and there is no way out.
	ReasonNothingReachable = "NothingReachable"
	// ReasonRecipientsEnforced: every egress gateway runs and was told what is effective now.
	ReasonRecipientsEnforced = "RecipientsEnforced"
	// ReasonEgressUpdating: egress gateways are being told what is effective now.
	ReasonEgressUpdating = "EgressUpdating"
	// ReasonRecipientNotFound: spec.subProcessors.use, or a chain of parents, names no SubProcessor, or goes in a circle.
	ReasonRecipientNotFound = "RecipientNotFound"
	// ReasonRecipientOutside: a recipient lies outside spec.residency.jurisdictions and is kept closed.
	ReasonRecipientOutside = "RecipientOutsideJurisdictions"
	// ReasonRecipientNotDeclared: the tenant needs a host that no effective recipient covers; the message names both.
	ReasonRecipientNotDeclared = "RecipientNotDeclared"
	// ReasonChatServerAvailable: every replica is ready and current.
	ReasonChatServerAvailable = "ChatServerAvailable"
	// ReasonPodsStarting: pods exist and are not ready yet.
	ReasonPodsStarting = "PodsStarting"
	// ReasonPodsFailing: a container cannot start or keeps ending; the message names it.
	ReasonPodsFailing = "PodsFailing"
	// ReasonUnschedulable: no node of the region can take a pod; the message quotes the scheduler.
	ReasonUnschedulable = "Unschedulable"
	// ReasonEndpointServing: the host is this tenant's and pods serve it.
	ReasonEndpointServing = "EndpointServing"
	// ReasonEndpointNotServing: no ready pod is behind the host.
	ReasonEndpointNotServing = "EndpointNotServing"
	// ReasonInRegion: every pod and volume is where it must be.
	ReasonInRegion = "InRegion"
	// ReasonOutsideRegion: a pod or volume was found elsewhere; the message names it and its place.
	ReasonOutsideRegion = "OutsideRegion"
	// ReasonNodeNotDedicated: a pod's node is not the tenant's own, or not its alone, though the class asks for it.
	ReasonNodeNotDedicated = "NodeNotDedicated"
	// ReasonPlacementPending: a pod or volume has no place yet.
	ReasonPlacementPending = "PlacementPending"
	// ReasonIsolated: the latest probe was refused everywhere it must be, under the network policies of now.
	ReasonIsolated = "Isolated"
	// ReasonHoleFound: the latest probe reached something that must be closed; the message names it.
	ReasonHoleFound = "HoleFound"
	// ReasonProbePending: no probe has come to a verdict under the network policies of now; one will.
	ReasonProbePending = "ProbePending"
	// ReasonProbeWaiting: no probe has come to a verdict, and the next is started when PostgreSQL is ready: it shows that
	// a probe's pod has a network at all.
	ReasonProbeWaiting = "ProbeWaiting"
	// ReasonProbeFailed: a probe came to no verdict; the message says why, and it is tried again.
	ReasonProbeFailed = "ProbeFailed"
	// ReasonActive is the reason of Paused when it is False, ReasonPausedBySpec when it is True.
	ReasonActive       = "Active"
	ReasonPausedBySpec = "PausedBySpec"
	// ReasonNotRequested is the reason of Deleting when it is False.
	ReasonNotRequested = "NotRequested"
	// ReasonRemoving: the tenant's objects are being removed.
	ReasonRemoving = "Removing"
)
