// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package trust is the document in which a tenant says in public who gets its data, where the data is, how it is
// protected and since when that is known. The operator renders it from what it declared and found; the tenant's chat
// server serves it at /trust.json. Schema describes it for everybody else.
package trust

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Version of the document's form. It rises when a reader of the older form would misread a newer one.
const Version = 1

// FileName is the document's name in the operator's ConfigMap and below the chat server's address.
const FileName = "trust.json"

// Schema is the JSON schema of a Document, as it is published.
//
//go:embed schema.json
var Schema []byte

// Document is what one tenant publishes. Times are in UTC; days are written YYYY-MM-DD.
type Document struct {
	// Schema is the address of the document's JSON schema, relative to the document.
	Schema  string `json:"$schema"`
	Version int    `json:"version"`
	// Tenant is the resource's name, by which the platform's team knows it.
	Tenant     string     `json:"tenant"`
	Controller Controller `json:"controller"`
	// Processor runs the platform. It is absent where the platform's team has not declared itself.
	Processor *Organisation `json:"processor,omitempty"`
	Region    Region        `json:"region"`
	// Jurisdictions bound every place that data may be in. Empty, the region alone says where it is.
	Jurisdictions []string `json:"jurisdictions,omitempty"`
	// SubProcessors are all recipients: those in use, those to come and those that were.
	SubProcessors []SubProcessor `json:"subProcessors"`
	Encryption    Encryption     `json:"encryption"`
	Retention     Retention      `json:"retention"`
	Backups       Backups        `json:"backups"`
	// Proofs are what the platform checks, and what it found last.
	Proofs []Proof `json:"proofs"`
}

// Controller is whose customers chat: the organisation that decides what the data is for.
type Controller struct {
	Name string `json:"name"`
	// PrivacyPolicy is its address.
	PrivacyPolicy string `json:"privacyPolicy"`
}

// Organisation is a legal person and how it is reached.
type Organisation struct {
	LegalName string `json:"legalName"`
	Address   string `json:"address"`
	// Contact is an e-mail address or an https:// address.
	Contact string `json:"contact"`
}

// Region is where pods, volumes and backups are.
type Region struct {
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
	// Jurisdiction is an ISO 3166-1 alpha-2 code.
	Jurisdiction string `json:"jurisdiction"`
}

// State is what a recipient is to the tenant.
type State string

// States of recipients.
const (
	// Effective recipients get data.
	Effective State = "Effective"
	// Pending ones do not get any yet.
	Pending State = "Pending"
	// Objected ones get none, because the tenant objected.
	Objected State = "Objected"
	// Retired ones got some and get none any more.
	Retired State = "Retired"
)

// SubProcessor is a recipient of data.
type SubProcessor struct {
	// Name is the record's name, which stays when everything else is gone.
	Name  string `json:"name"`
	State State  `json:"state"`
	// Record is absent for a recipient whose record was deleted.
	Record *Record `json:"record,omitempty"`
	// ExpectedFrom is the day from which a pending recipient will get data, where nothing but time is missing.
	ExpectedFrom string `json:"expectedFrom,omitempty"`
	// Since and Until enclose every time in which it got data. Without Until it still does.
	Since *time.Time `json:"since,omitempty"`
	Until *time.Time `json:"until,omitempty"`
}

// Record is what was declared about a recipient.
type Record struct {
	Organisation

	Purpose string `json:"purpose"`
	// DataCategories are what it gets.
	DataCategories []string `json:"dataCategories"`
	// Locations are the countries in which it processes data, ISO 3166-1 alpha-2.
	Locations []string `json:"locations"`
	// TransferGround is the legal ground of a transfer out of the controller's jurisdiction; None where there is none.
	TransferGround string `json:"transferGround"`
	// EngagedBy is the recipient whose sub-processor this is.
	EngagedBy string `json:"engagedBy,omitempty"`
	// Hosts are the only ones by which data reaches it, host:port. Without any it is reached through who engaged it.
	Hosts []string `json:"hosts,omitempty"`
	// NoticedAt is the day on which customers were told, EffectiveFrom its first day for anybody.
	NoticedAt     string `json:"noticedAt"`
	EffectiveFrom string `json:"effectiveFrom"`
	Agreement     string `json:"agreement,omitempty"`
}

// Encryption says which key protects the tenant's data.
type Encryption struct {
	// KeyProvider is where the key-encryption key lives: Secret, VaultTransit or KMS.
	KeyProvider string `json:"keyProvider"`
	// KeyGeneration counts that key's rotations, from 1. It is absent until the first key is in use.
	KeyGeneration int64      `json:"keyGeneration,omitempty"`
	LastRotation  *time.Time `json:"lastRotation,omitempty"`
	// KeyService is who has the key, where it is not a Secret of the tenant's own.
	KeyService *KeyService `json:"keyService,omitempty"`
}

// KeyService holds a key-encryption key that it does not give away: it wraps and unwraps for the tenant.
type KeyService struct {
	// Hosts are those by which it is reached, host:port.
	Hosts []string `json:"hosts"`
	// HeldBy are the recipients, by the names of their records, that these hosts belong to. There is none while nobody is
	// declared for them.
	HeldBy []string `json:"heldBy,omitempty"`
}

// Retention says after how many days data is deleted. Without a number nothing of that kind is deleted by its age.
type Retention struct {
	TranscriptDays int32 `json:"transcriptDays,omitempty"`
	ContactDays    int32 `json:"contactDays,omitempty"`
	AttachmentDays int32 `json:"attachmentDays,omitempty"`
	AuditDays      int32 `json:"auditDays,omitempty"`
}

// Backups says how often a backup is taken and how long it is kept. Without EveryHours none is taken.
type Backups struct {
	EveryHours int32 `json:"everyHours,omitempty"`
	KeepDays   int32 `json:"keepDays,omitempty"`
}

// Proof is something that is checked, and the outcome.
type Proof struct {
	// Name is the condition's, for example IsolationVerified.
	Name string `json:"name"`
	// Holds is True, False or Unknown.
	Holds  string `json:"holds"`
	Reason string `json:"reason"`
	// Since is when Holds last changed.
	Since time.Time `json:"since"`
	// Checked is when it was last looked at, where that is not all the time.
	Checked *time.Time `json:"checked,omitempty"`
}

// Parse reads a document strictly: what this version does not know, it does not pass on.
func Parse(data []byte) (*Document, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var d Document
	if err := decoder.Decode(&d); err != nil {
		return nil, fmt.Errorf("parse trust document: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("parse trust document: something follows it")
	}
	if d.Version != Version {
		return nil, fmt.Errorf("trust document has version %d, want %d", d.Version, Version)
	}
	return &d, nil
}
