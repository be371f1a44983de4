// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package google

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/chattenant/chattenant/api/kmshelper"
	"github.com/chattenant/chattenant/kms/internal/failure"
)

// What to do about failures that somebody can mend.
var remedies = map[codes.Code]string{
	codes.PermissionDenied: "grant roles/cloudkms.cryptoKeyEncrypterDecrypter on the key",
	codes.Unauthenticated:  "the exchanged token is not taken",
	codes.FailedPrecondition: "enable the key's version that wrapped, or restore it if it is scheduled for destruction; " +
		"the key's purpose must be ENCRYPT_DECRYPT",
	codes.ResourceExhausted: "the project's quota is used up",
}

// explain makes a *failure.Error of an SDK's error.
func (p plain) explain(operation kmshelper.Operation, err error) error {
	if err == nil {
		return nil
	}
	answer, ok := status.FromError(err)
	if errors.Is(err, context.DeadlineExceeded) {
		answer, ok = status.New(codes.DeadlineExceeded, ""), true
	}
	if !ok {
		// Tink's own checks of checksums and names: their words quote the key's name at most.
		return failure.Temporary("the answer of Google Cloud KMS is not what was asked for, or was changed on the way")
	}
	said := failure.Words(operation, answer.Message())
	switch code := answer.Code(); {
	case code == codes.InvalidArgument && operation == kmshelper.Decrypt:
		return failure.Refused("the key does not open this: another key or another tenant wrapped it, or it was changed")
	case code == codes.InvalidArgument:
		return failure.Unusable("Google Cloud KMS does not take the request: correct the URI")
	case code == codes.NotFound:
		return failure.Unusable("Google Cloud KMS has no such key: correct the URI%s", said)
	case code == codes.Unavailable || code == codes.DeadlineExceeded:
		return failure.Temporary("Google Cloud KMS cannot be used now%s%s", p.way.Trouble(), said)
	case remedies[code] != "":
		return failure.Temporary("Google Cloud KMS answers %v: %s%s", code, remedies[code], said)
	default:
		return failure.Temporary("Google Cloud KMS answers %v%s", code, said)
	}
}
