// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package kmshelper is what the chat server and the program that reaches the clouds' key services for it say to each
// other. The clouds' SDKs would take a fifth of a chat server's memory in every tenant, for a few calls an hour where a
// cloud holds the key; so they live in a program of their own that runs for each call.
//
// The program gets no arguments and nothing from the environment. It reads a Request from standard input and writes an
// Answer to standard output. If it fails it writes one line for the log to standard error, which says what is wrong and
// what to do about it and holds nothing secret, and its exit status says which kind of failure it is.
package kmshelper

import (
	"time"

	"github.com/chattenant/chattenant/api/egressconfig"
)

// The program's exit statuses. Any other, or a signal, says that it broke down.
const (
	// ExitFailed says that the key could not be used now: asking again later is worth it.
	ExitFailed = 1
	// ExitRefused says that the key does not open the ciphertext.
	ExitRefused = 3
	// ExitUnusable says that there is no such key, or none of this kind: asking again cannot help.
	ExitUnusable = 4
)

// Limits of one run.
const (
	// TimeLimit is how long a run may take, from its start: getting credentials, the call and the service's retries.
	// The program gives up by itself a second earlier, so that it can still say what did not answer.
	TimeLimit = 10 * time.Second
	// MaxMessage is more than any message takes, in bytes: AWS encrypts 4 KiB at most, Google 64 KiB.
	MaxMessage = 128 << 10
)

// Operation is what a Request asks for.
type Operation string

// Operations.
const (
	Encrypt Operation = "encrypt"
	Decrypt Operation = "decrypt"
)

// Request asks for one operation with a key, as JSON.
type Request struct {
	Operation Operation `json:"operation"`
	// URI names the key, see ParseKey.
	URI      string   `json:"uri"`
	Identity Identity `json:"identity"`
	// Egress leads to the key service. Without it the program connects directly.
	Egress *egressconfig.Client `json:"egress,omitempty"`
	// Data is a keyset to encrypt, or the ciphertext of one.
	Data []byte `json:"data"`
	// AssociatedData is what the ciphertext is bound to.
	AssociatedData []byte `json:"associatedData,omitempty"`
}

// Answer is the result of a Request, as JSON.
type Answer struct {
	Data []byte `json:"data"`
}

// Identity is how the cloud knows the tenant: by a token of its pod's ServiceAccount, projected for the cloud and
// exchanged there for credentials of minutes. There are no others, and no secret that would have to be kept.
type Identity struct {
	// TokenFile is the projected token. It is read for every call.
	TokenFile string `json:"tokenFile"`
	// RoleARN is the role that AWS lets the token assume; for AWS only.
	RoleARN string `json:"roleARN,omitempty"`
	// Audience names the workload identity provider that takes the token; for Google only:
	// //iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER.
	Audience string `json:"audience,omitempty"`
	// ServiceAccount is one of Google's to act as, by its address. Without it the key's policy names the token's subject
	// itself.
	ServiceAccount string `json:"serviceAccount,omitempty"`
}
