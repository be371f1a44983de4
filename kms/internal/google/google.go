// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

// Package google uses keys of Google Cloud KMS through Tink's client. Credentials are what workload identity federation
// gives for the pod's token; nothing is taken from the environment, files of the SDK or an instance's metadata.
package google

import (
	"context"
	"net"

	"cloud.google.com/go/auth/credentials/externalaccount"
	"github.com/tink-crypto/tink-go-gcpkms/v2/integration/gcpkms"
	"github.com/tink-crypto/tink-go/v2/tink"
	"google.golang.org/api/option"
	"google.golang.org/grpc"

	"github.com/chattenant/chattenant/api/kmshelper"
	"github.com/chattenant/chattenant/kms/internal/failure"
	"github.com/chattenant/chattenant/kms/internal/identity"
	"github.com/chattenant/chattenant/kms/internal/network"
)

// scope is as narrow as Google has one for keys; roles narrow it further.
const scope = "https://www.googleapis.com/auth/cloudkms"

// uriPrefix is what Tink's client wants before a key's name.
const uriPrefix = "gcp-kms://"

// Open logs in and returns the key. Its errors, and those of the key, are *failure.Error.
func Open(
	ctx context.Context, key kmshelper.Key, as kmshelper.Identity, way *network.Network,
) (tink.AEADWithContext, error) {
	bearer, err := logIn(ctx, as, way)
	if err != nil {
		return nil, err
	}
	// The name is resolved where connections are opened, which is the one place that decides where they go.
	conn, err := grpc.NewClient("passthrough:///"+net.JoinHostPort(kmshelper.GoogleKMS, "443"), grpc.WithNoProxy(),
		grpc.WithTransportCredentials(watchedTLS(way)), grpc.WithPerRPCCredentials(bearer),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return way.Dial(ctx, "tcp", address)
		}))
	if err != nil {
		return nil, failure.Temporary("make a client of Google Cloud KMS")
	}
	aead, err := gcpkms.GetAEADWithContext(ctx, uriPrefix+key.Name,
		gcpkms.WithGoogleAPIClientOptions(option.WithGRPCConn(conn), option.WithTelemetryDisabled()))
	if err != nil {
		return nil, failure.Unusable("Tink does not take %s", key.Name)
	}
	return plain{aead, way}, nil
}

// logIn exchanges the pod's token for one of Google's.
func logIn(ctx context.Context, as kmshelper.Identity, way *network.Network) (bearer, error) {
	if _, err := identity.Token(as.TokenFile); err != nil {
		return "", failure.Temporary("%v: mount a token for the audience https:%s", err, as.Audience)
	}
	options := externalaccount.Options{ //nolint:gosec // Names of things, no credentials.
		Audience: as.Audience, SubjectTokenType: "urn:ietf:params:oauth:token-type:jwt",
		TokenURL:             "https://" + kmshelper.GoogleTokens + "/v1/token",
		SubjectTokenProvider: tokenFile(as.TokenFile), Scopes: []string{scope}, Client: way.Client(),
	}
	if as.ServiceAccount != "" {
		options.ServiceAccountImpersonationURL = "https://" + kmshelper.GoogleCredentials +
			"/v1/projects/-/serviceAccounts/" + as.ServiceAccount + ":generateAccessToken"
	}
	credentials, err := externalaccount.NewCredentials(&options)
	if err != nil {
		return "", failure.Unusable("Google's SDK does not take the identity: correct its audience")
	}
	token, err := credentials.Token(ctx)
	if err != nil {
		return "", failure.Temporary("Google does not exchange the token of the pod%s: the provider of the audience must "+
			"trust the cluster's issuer and the token's audience, and a serviceAccount must grant "+
			"roles/iam.workloadIdentityUser", way.Trouble())
	}
	return bearer(token.Value), nil
}

type tokenFile string

func (f tokenFile) SubjectToken(context.Context, *externalaccount.RequestOptions) (string, error) {
	return identity.Token(string(f))
}

// plain is a key whose errors say what they mean.
type plain struct {
	tink.AEADWithContext
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
