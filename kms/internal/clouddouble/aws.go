// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package clouddouble

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"k8s.io/utils/clock"
)

// session is what AssumeRoleWithWebIdentity gave last.
type session struct{ id, secret, token string }

const assumed = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey>
<SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>`

const refusedToken = `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>%s</Code><Message>not %s</Message></Error></ErrorResponse>`

// assume is the action AssumeRoleWithWebIdentity of AWS STS.
func (c *Cloud) assume(w http.ResponseWriter, r *http.Request) {
	want := map[string]string{
		"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": Role, "WebIdentityToken": c.Token,
	}
	w.Header().Set("Content-Type", "text/xml")
	for field, value := range want {
		if got := r.PostFormValue(field); got != value {
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprintf(w, refusedToken, "AccessDenied", got) //nolint:gosec // Quoting is what it is there for.
			return
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = session{"ASIA" + rand.Text()[:16], rand.Text(), rand.Text()}
	_, _ = fmt.Fprintf(w, assumed, c.session.id, c.session.secret, c.session.token,
		clock.RealClock{}.Now().Add(time.Hour).UTC().Format(time.RFC3339))
}

// awsRequest holds the fields of both operations.
type awsRequest struct {
	KeyID             string            `json:"KeyId"`
	Plaintext         []byte            `json:"Plaintext"`
	CiphertextBlob    []byte            `json:"CiphertextBlob"`
	EncryptionContext map[string]string `json:"EncryptionContext"`
}

// awsKMS is the JSON 1.1 protocol of AWS KMS.
func (c *Cloud) awsKMS(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	answer, code := c.awsAnswer(r, body)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if code != "" {
		w.WriteHeader(http.StatusBadRequest)
		// As a server that quotes what it was sent.
		answer = map[string]any{"__type": code, "message": "not " + string(body)}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (c *Cloud) awsAnswer(r *http.Request, body []byte) (answer any, code string) {
	var in awsRequest
	switch {
	case c.Fault != "":
		return nil, c.Fault
	case c.checkSignature(r, body) != nil:
		return nil, "IncompleteSignature"
	case json.Unmarshal(body, &in) != nil || r.Header.Get("Content-Type") != "application/x-amz-json-1.1":
		return nil, "SerializationException"
	case in.KeyID != strings.TrimPrefix(AWSKey, "aws-kms://"):
		return nil, "NotFoundException"
	}
	context, _ := json.Marshal(in.EncryptionContext)
	switch r.Header.Get("X-Amz-Target") {
	case "TrentService.Encrypt":
		if len(in.Plaintext) == 0 || len(in.Plaintext) > 4096 {
			return nil, "ValidationException"
		}
		out, err := c.seal(in.Plaintext, context)
		if err != nil {
			return nil, "KMSInternalException"
		}
		return map[string]any{"CiphertextBlob": out, "KeyId": in.KeyID, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}, ""
	case "TrentService.Decrypt":
		out, err := c.open(in.CiphertextBlob, context)
		if err != nil {
			return nil, "InvalidCiphertextException"
		}
		return map[string]any{"Plaintext": out, "KeyId": in.KeyID, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}, ""
	}
	return nil, "UnknownOperationException"
}

var errSignature = errors.New("another signature than that of the session")

// checkSignature signs what is signed again, with the credentials of the session.
func (c *Cloud) checkSignature(r *http.Request, body []byte) error {
	got := r.Header.Get("Authorization")
	_, rest, _ := strings.Cut(got, "SignedHeaders=")
	names, _, _ := strings.Cut(rest, ",")
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return err
	}
	again, err := http.NewRequestWithContext( //nolint:gosec // Signed, never sent.
		r.Context(), r.Method, "https://"+r.Host+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(names, ";") {
		if value := r.Header.Values(name); len(value) > 0 {
			again.Header[http.CanonicalHeaderKey(name)] = value
		}
	}
	c.mu.Lock()
	credentials := aws.Credentials{
		AccessKeyID: c.session.id, SecretAccessKey: c.session.secret, SessionToken: c.session.token,
	}
	c.mu.Unlock()
	digest := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(r.Context(), credentials, again, hex.EncodeToString(digest[:]), "kms", Region, at)
	if err != nil || again.Header.Get("Authorization") != got {
		return errSignature
	}
	return nil
}
