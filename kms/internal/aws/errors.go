// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"errors"
	"regexp"

	"github.com/aws/smithy-go"

	"github.com/chattenant/chattenant/api/kmshelper"
	"github.com/chattenant/chattenant/kms/internal/failure"
	"github.com/chattenant/chattenant/kms/internal/network"
)

// Codes of AWS KMS's errors that mean more than that it did not work.
const (
	codeCiphertext = "InvalidCiphertextException"
	codeOtherKey   = "IncorrectKeyException"
	codeNoKey      = "NotFoundException"
	codeUsage      = "InvalidKeyUsageException"
	codeInvalid    = "ValidationException"
	codeDenied     = "AccessDeniedException"
	codeDisabled   = "DisabledException"
	codeState      = "KMSInvalidStateException"
)

// What to do about failures that somebody can mend.
var remedies = map[string]string{
	codeDenied:   "the policy of the key or of the role must allow kms:Encrypt and kms:Decrypt",
	codeDisabled: "enable the key",
	codeState:    "the key is to be deleted, or its key store is away: cancel the deletion or restore the store",
}

// explain makes a *failure.Error of an SDK's error.
func (p plain) explain(operation kmshelper.Operation, err error) error {
	if err == nil {
		return nil
	}
	var answer smithy.APIError
	if !errors.As(err, &answer) {
		return failure.Temporary("AWS KMS cannot be used now%s", p.way.Trouble())
	}
	code := codeOf(answer)
	said := failure.Words(operation, answer.ErrorMessage())
	switch code {
	case codeCiphertext, codeOtherKey:
		return failure.Refused("the key does not open this: another key or another tenant wrapped it, or it was changed")
	case codeNoKey:
		return failure.Unusable("AWS KMS has no such key in %s: correct the URI", p.key.Region)
	case codeUsage:
		return failure.Unusable("the key is none to encrypt with: it must be symmetric, for ENCRYPT_DECRYPT")
	case codeInvalid:
		return failure.Unusable("AWS KMS does not take the request: correct the URI%s", said)
	}
	if remedy := remedies[code]; remedy != "" {
		return failure.Temporary("AWS KMS answers %s: %s%s", code, remedy, said)
	}
	return failure.Temporary("AWS KMS answers %s%s", code, said)
}

// loginError quotes nobody: the words of who was sent a token may hold what the token says about the pod.
func loginError(role string, way *network.Network, err error) error {
	var answer smithy.APIError
	if errors.As(err, &answer) {
		return failure.Temporary("AWS does not let the token of the pod assume %s (%s): the role must trust the cluster's "+
			"issuer, the pod's ServiceAccount and the audience sts.amazonaws.com", role, codeOf(answer))
	}
	return failure.Temporary("AWS does not exchange the token of the pod now%s", way.Trouble())
}

var plainCode = regexp.MustCompile(`^[a-zA-Z.]{1,60}$`)

func codeOf(answer smithy.APIError) string {
	if code := answer.ErrorCode(); plainCode.MatchString(code) {
		return code
	}
	return "an unknown error"
}
