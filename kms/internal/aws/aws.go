// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package aws uses keys of AWS KMS through Tink's client. Credentials are those of a role that the pod's token is let
// assume; nothing is taken from the environment, profiles or an instance's metadata.
package aws

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/tink-crypto/tink-go-awskms/v3/integration/awskms"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/chattenant/chattenant/api/kmshelper"
	"github.com/chattenant/chattenant/kms/internal/failure"
	"github.com/chattenant/chattenant/kms/internal/identity"
	"github.com/chattenant/chattenant/kms/internal/network"
)

// sessionName is what CloudTrail shows beside the role.
const sessionName = "chattenant"

// longestPause between two tries leaves room for several within the time that a call has.
const longestPause = time.Second / 2

// Open logs in and returns the key. Its errors, and those of the key, are *failure.Error.
func Open(
	ctx context.Context, key kmshelper.Key, as kmshelper.Identity, way *network.Network,
) (tink.AEADWithContext, error) {
	patient := retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = longestPause })
	login := sts.New(sts.Options{Region: key.Region, HTTPClient: way.Client(), Retryer: patient})
	source := stscreds.NewWebIdentityRoleProvider(login, as.RoleARN, token(as.TokenFile),
		func(o *stscreds.WebIdentityRoleOptions) { o.RoleSessionName = sessionName })
	// The file is read before anybody is asked, so that its errors are told from theirs.
	if _, err := identity.Token(as.TokenFile); err != nil {
		return nil, failure.Temporary("%v: mount a token for the audience sts.amazonaws.com", err)
	}
	cached := aws.NewCredentialsCache(source)
	if _, err := cached.Retrieve(ctx); err != nil {
		return nil, loginError(as.RoleARN, way, err)
	}
	client := kms.New(kms.Options{Region: key.Region, HTTPClient: way.Client(), Retryer: patient, Credentials: cached})
	aead, err := awskms.NewAEADWithContext(ctx, key.Name, awskms.WithKMS(client))
	if err != nil {
		return nil, failure.Unusable("Tink does not take %s", key.Name)
	}
	return plain{aead, key, way}, nil
}

// token is read again whenever credentials are needed.
type token string

func (t token) GetIdentityToken() ([]byte, error) {
	out, err := identity.Token(string(t))
	return []byte(out), err
}

// plain is a key whose errors say what they mean.
type plain struct {
	tink.AEADWithContext
	key kmshelper.Key
	way *network.Network
}

func (p plain) EncryptWithContext(ctx context.Context, plaintext, associatedData []byte) ([]byte, error) {
	out, err := p.AEADWithContext.EncryptWithContext(ctx, plaintext, associatedData)
	return out, p.explain(kmshelper.Encrypt, err)
}

func (p plain) DecryptWithContext(ctx context.Context, ciphertext, associatedData []byte) ([]byte, error) {
	out, err := p.AEADWithContext.DecryptWithContext(ctx, ciphertext, associatedData)
	return out, p.explain(kmshelper.Decrypt, err)
}
