// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/chattenant/chattenant/api/kmshelper"
	"github.com/chattenant/chattenant/chatserver/egress"
	"github.com/chattenant/chattenant/kms/internal/aws"
	"github.com/chattenant/chattenant/kms/internal/failure"
	"github.com/chattenant/chattenant/kms/internal/google"
	"github.com/chattenant/chattenant/kms/internal/network"
)

// serve answers one request. Its errors are *failure.Error.
func serve(ctx context.Context, in io.Reader, out io.Writer, way network.Way) error {
	request, err := read(in)
	if err != nil {
		return err
	}
	key, err := open(ctx, request, way)
	if err != nil {
		return err
	}
	operation := key.EncryptWithContext
	if request.Operation == kmshelper.Decrypt {
		operation = key.DecryptWithContext
	}
	data, err := operation(ctx, request.Data, request.AssociatedData)
	if err != nil {
		return err
	}
	if len(data) == 0 {
		return failure.Temporary("the key service gave an empty answer")
	}
	if err := json.NewEncoder(out).Encode(kmshelper.Answer{Data: data}); err != nil {
		return failure.Temporary("write the answer")
	}
	return nil
}

// read takes a request that is whole and nothing else. Its errors do not quote it.
func read(in io.Reader) (*kmshelper.Request, error) {
	content, err := io.ReadAll(io.LimitReader(in, kmshelper.MaxMessage+1))
	defer clear(content)
	if err != nil || len(content) > kmshelper.MaxMessage {
		return nil, failure.Unusable("the request is longer than %d bytes, or was cut off", kmshelper.MaxMessage)
	}
	var request kmshelper.Request
	if err := json.Unmarshal(content, &request); err != nil {
		return nil, failure.Unusable("the request makes no sense: chat server and helper must be of the same release")
	}
	if request.Operation != kmshelper.Encrypt && request.Operation != kmshelper.Decrypt || len(request.Data) == 0 {
		return nil, failure.Unusable("the request asks for nothing that can be done: chat server and helper must be of " +
			"the same release")
	}
	return &request, nil
}

// open finds the key, restricted to the hosts that it takes.
func open(ctx context.Context, request *kmshelper.Request, way network.Way) (tink.AEADWithContext, error) {
	key, err := kmshelper.ParseKey(request.URI)
	if err != nil {
		return nil, failure.Unusable("the key's URI: %v", err)
	}
	if err := errors.Join(request.Identity.Validate(key.Cloud)...); err != nil {
		return nil, failure.Unusable("the identity's %v", err)
	}
	if request.Egress != nil {
		way.Dial = egress.New(*request.Egress).DialContext
	}
	if key.Cloud == kmshelper.AWS {
		return aws.Open(ctx, key, request.Identity, way.To(key.Hosts()))
	}
	return google.Open(ctx, key, request.Identity, way.To(key.Hosts()))
}
