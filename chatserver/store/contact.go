// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"github.com/google/uuid"

	"github.com/chattenant/chattenant/chatserver/protocol"
	"github.com/chattenant/chattenant/chatserver/redacted"
	"github.com/chattenant/chattenant/chatserver/seal"
	"github.com/chattenant/chattenant/chatserver/searchtext"
)

// Contact is what a visitor said about themselves; empty fields were withheld.
type Contact struct {
	Name  redacted.String
	Email redacted.String
	Phone redacted.String
	// ExternalID is what the customer's own systems call the visitor.
	ExternalID redacted.String
}

// Shown is the contact as clients are told of it.
func (c Contact) Shown() *protocol.Contact {
	return &protocol.Contact{
		Name: protocol.Text{String: c.Name}, Email: protocol.Text{String: c.Email},
		Phone: protocol.Text{String: c.Phone}, ExternalID: protocol.Text{String: c.ExternalID},
	}
}

// ContactField is a part of a contact that conversations are found by.
type ContactField string

// Fields that conversations are found by.
const (
	ByEmail      ContactField = "contact_email"
	ByPhone      ContactField = "contact_phone"
	ByExternalID ContactField = "contact_external_id"
)

// forms are how the fields are compared.
var forms = map[ContactField]func(redacted.String) redacted.String{
	ByEmail: searchtext.Email, ByPhone: searchtext.Phone, ByExternalID: searchtext.ExternalID,
}

// contactColumn is a sealed column of a contact.
type contactColumn struct {
	name   string
	value  func(*Contact) *redacted.String
	sealed func(*conversationRow) *[]byte
}

var contactColumns = []contactColumn{
	{
		"contact_name",
		func(c *Contact) *redacted.String { return &c.Name }, func(r *conversationRow) *[]byte { return &r.Name },
	},
	{
		string(ByEmail),
		func(c *Contact) *redacted.String { return &c.Email }, func(r *conversationRow) *[]byte { return &r.Email },
	},
	{
		string(ByPhone),
		func(c *Contact) *redacted.String { return &c.Phone }, func(r *conversationRow) *[]byte { return &r.Phone },
	},
	{
		string(ByExternalID),
		func(c *Contact) *redacted.String { return &c.ExternalID },
		func(r *conversationRow) *[]byte { return &r.ExternalID },
	},
}

func sealedContactColumns() []string {
	var names []string
	for _, column := range contactColumns {
		names = append(names, column.name)
	}
	return names
}

func sealContact(key *seal.Key, contact Contact, row *conversationRow) (err error) {
	for _, column := range contactColumns {
		value := *column.value(&contact)
		if value.IsEmpty() {
			continue
		}
		if *column.sealed(row), err = key.Seal(contactPlace(column.name, row.ID), value); err != nil {
			return err
		}
	}
	return nil
}

func openContact(key *seal.Key, row *conversationRow) (contact Contact, err error) {
	for _, column := range contactColumns {
		sealed := *column.sealed(row)
		if sealed == nil {
			continue
		}
		if *column.value(&contact), err = key.Open(contactPlace(column.name, row.ID), sealed); err != nil {
			return contact, err
		}
	}
	return contact, nil
}

// contactIndexes are the blind indexes of contacts, a slice per column of the table.
type contactIndexes struct {
	conversations []uuid.UUID
	fields        []string
	values        [][]byte
}

// add computes the indexes of a conversation's contact.
func (i *contactIndexes) add(keys *seal.Tenant, conversation uuid.UUID, contact Contact) error {
	for _, column := range contactColumns {
		form, ok := forms[ContactField(column.name)]
		value := *column.value(&contact)
		if !ok || value.IsEmpty() {
			continue
		}
		index, err := keys.BlindIndex("conversation", column.name, form(value))
		if err != nil {
			return err
		}
		i.conversations, i.fields = append(i.conversations, conversation), append(i.fields, column.name)
		i.values = append(i.values, index)
	}
	return nil
}
