// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"errors"

	"github.com/google/uuid"
)

// SearchRequest asks in which conversations something was said, or who is meant. Several fields together must all
// apply; of the three that say who it is, one.
type SearchRequest struct {
	// Text has words that a message must all have.
	Text       Text `json:"text,omitzero"`
	Email      Text `json:"email,omitzero"`
	Phone      Text `json:"phone,omitzero"`
	ExternalID Text `json:"externalId,omitzero"`
	// Before is where an earlier answer ended.
	Before string `json:"before,omitempty"`
}

// SearchAnswer is a page of what was found, newest first.
type SearchAnswer struct {
	Hits []SearchHit `json:"hits"`
	// Before asks for the next page, empty if there is none. A page may be empty and not the last.
	Before string `json:"before,omitempty"`
}

// SearchHit is a message that was found, or a conversation if no text was asked for.
type SearchHit struct {
	Conversation uuid.UUID `json:"conversation"`
	OpenedAt     Time      `json:"openedAt"`
	Contact      *Contact  `json:"contact,omitempty"`
	// Seq is the message's place, 0 if the hit is the conversation.
	Seq int64 `json:"seq"`
	// At is when the message was sent, or the conversation opened.
	At Time `json:"at"`
	// Excerpt is what the message says around the first word found.
	Excerpt Text `json:"excerpt,omitzero"`
}

// Complaints about searches.
var (
	errSearchEmpty = errors.New("want one of text, email, phone, externalId")
	errSearchWho   = errors.New("want at most one of email, phone, externalId")
	errSearchText  = errors.New("text: want at most 200 characters on one line")
	errBefore      = errors.New("before: want what an earlier answer had")
)

// maxBefore is longer than any place in a list is written.
const maxBefore = 64

// Validate reports the first field that breaks the protocol's rules.
func (r *SearchRequest) Validate() error {
	who := 0
	for _, text := range []Text{r.Email, r.Phone, r.ExternalID} {
		if !text.IsEmpty() {
			who++
		}
	}
	switch {
	case who == 0 && r.Text.IsEmpty():
		return errSearchEmpty
	case who > 1:
		return errSearchWho
	case !validLine(r.Text.Reveal(), MaxSearch):
		return errSearchText
	case len(r.Before) > maxBefore:
		return errBefore
	}
	contact := Contact{Email: r.Email, Phone: r.Phone, ExternalID: r.ExternalID}
	return contact.Validate()
}
