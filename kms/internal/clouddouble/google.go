// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package clouddouble

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"hash/crc32"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cloud.google.com/go/kms/apiv1/kmspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"k8s.io/utils/clock"
)

// exchange is the token exchange of workload identity federation, RFC 8693.
func (c *Cloud) exchange(w http.ResponseWriter, r *http.Request) {
	want := map[string]string{ //nolint:gosec // Names of things, no credentials.
		"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "audience": Audience,
		"requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
		"subject_token_type":   "urn:ietf:params:oauth:token-type:jwt", "subject_token": c.Token,
	}
	for field, value := range want {
		if got := r.PostFormValue(field); got != value || r.URL.Path != "/v1/token" {
			http.Error(w, `{"error":"invalid_grant","error_description":"not `+got+`"}`, http.StatusBadRequest)
			return
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bearer = rand.Text()
	c.federated = c.bearer
	_ = json.NewEncoder(w).Encode(map[string]any{ //nolint:gosec // Names of things, no credentials.
		"access_token": c.bearer, "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
		"token_type": "Bearer", "expires_in": 3600,
	})
}

// impersonate gives a token of the service account for a federated one, which is not taken for keys any more.
func (c *Cloud) impersonate(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.URL.Path != "/v1/projects/-/serviceAccounts/"+Account+":generateAccessToken" ||
		r.Header.Get("Authorization") != "Bearer "+c.federated {
		http.Error(w, "{}", http.StatusForbidden)
		return
	}
	c.bearer = rand.Text()
	_ = json.NewEncoder(w).Encode(map[string]any{
		"accessToken": c.bearer, "expireTime": clock.RealClock{}.Now().Add(time.Hour).Format(time.RFC3339),
	})
}

// googleKeys is the gRPC service of Google Cloud KMS.
type googleKeys struct {
	kmspb.UnimplementedKeyManagementServiceServer
	c *Cloud
}

var crcTable = crc32.MakeTable(crc32.Castagnoli)

func crc(data []byte) *wrapperspb.Int64Value {
	return wrapperspb.Int64(int64(crc32.Checksum(data, crcTable)))
}

// check tells whether a call of a key may go on. Its words quote what was sent.
func (g googleKeys) check(ctx context.Context, name string, data []byte) error {
	quoted := "not " + base64.StdEncoding.EncodeToString(data)
	if g.c.Fault != "" {
		var code codes.Code
		if err := code.UnmarshalJSON([]byte(`"` + g.c.Fault + `"`)); err != nil {
			code = codes.Internal
		}
		return status.Error(code, quoted)
	}
	sent, _ := metadata.FromIncomingContext(ctx)
	g.c.mu.Lock()
	bearer := g.c.bearer
	g.c.mu.Unlock()
	if strings.Join(sent.Get("authorization"), "") != "Bearer "+bearer {
		return status.Error(codes.Unauthenticated, "denied")
	}
	if strings.Join(sent.Get("x-goog-request-params"), "") != "name="+url.QueryEscape(name) {
		return status.Error(codes.InvalidArgument, "no routing header")
	}
	if name != strings.TrimPrefix(GoogleKey, "gcp-kms://") {
		return status.Error(codes.NotFound, "CryptoKey "+name+" not found.")
	}
	return nil
}

func (g googleKeys) Encrypt(ctx context.Context, in *kmspb.EncryptRequest) (*kmspb.EncryptResponse, error) {
	if err := g.check(ctx, in.GetName(), in.GetPlaintext()); err != nil {
		return nil, err
	}
	if in.GetPlaintextCrc32C().GetValue() != crc(in.GetPlaintext()).GetValue() ||
		in.GetAdditionalAuthenticatedDataCrc32C().GetValue() != crc(in.GetAdditionalAuthenticatedData()).GetValue() {
		return nil, status.Error(codes.InvalidArgument, "checksum")
	}
	out, err := g.c.seal(in.GetPlaintext(), in.GetAdditionalAuthenticatedData())
	if err != nil {
		return nil, err
	}
	return &kmspb.EncryptResponse{
		Name: in.GetName() + "/cryptoKeyVersions/1", Ciphertext: out, CiphertextCrc32C: crc(out),
		VerifiedPlaintextCrc32C: true, VerifiedAdditionalAuthenticatedDataCrc32C: true,
	}, nil
}

func (g googleKeys) Decrypt(ctx context.Context, in *kmspb.DecryptRequest) (*kmspb.DecryptResponse, error) {
	if err := g.check(ctx, in.GetName(), in.GetCiphertext()); err != nil {
		return nil, err
	}
	out, err := g.c.open(in.GetCiphertext(), in.GetAdditionalAuthenticatedData())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument,
			"Decryption failed: verify that 'name' refers to the correct CryptoKey.")
	}
	return &kmspb.DecryptResponse{Plaintext: out, PlaintextCrc32C: crc(out), UsedPrimary: true}, nil
}
