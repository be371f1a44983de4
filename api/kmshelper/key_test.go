// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package kmshelper_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/chattenant/chattenant/api/kmshelper"
)

func TestAKeyTakesOnlyTheHostsOfItsCloud(t *testing.T) {
	for uri, want := range map[string][]string{
		"aws-kms://arn:aws:kms:eu-central-1:111122223333:key/mrk-1": {
			"kms.eu-central-1.amazonaws.com", "sts.eu-central-1.amazonaws.com",
		},
		"aws-kms://arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/1": {
			"kms.us-gov-west-1.amazonaws.com", "sts.us-gov-west-1.amazonaws.com",
		},
		"aws-kms://arn:aws-cn:kms:cn-north-1:111122223333:key/1": {
			"kms.cn-north-1.amazonaws.com.cn", "sts.cn-north-1.amazonaws.com.cn",
		},
		"aws-kms://arn:aws-eusc:kms:eusc-de-east-1:111122223333:key/1": {
			"kms.eusc-de-east-1.amazonaws.eu", "sts.eusc-de-east-1.amazonaws.eu",
		},
		"gcp-kms://projects/example.com:p/locations/eu/keyRings/R_1/cryptoKeys/k": {
			"cloudkms.googleapis.com", "sts.googleapis.com", "iamcredentials.googleapis.com",
		},
	} {
		key, err := kmshelper.ParseKey(uri)
		if err != nil {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		if _, name, _ := strings.Cut(uri, "://"); key.Name != name {
			t.Errorf("%s is called %s", uri, key.Name)
		}
		if diff := cmp.Diff(want, key.Hosts()); diff != "" {
			t.Errorf("%s: %s", uri, diff)
		}
	}
}

func TestAURIThatCouldLeadElsewhereIsNone(t *testing.T) {
	for _, uri := range []string{
		"", "aws-kms://", "gcp-kms://", "azure-kms://vault/key", "hcvault://host/transit/keys/a",
		"aws-kms://arn:aws:kms:evil.example/:111122223333:key/1",
		"aws-kms://arn:aws:kms:eu-central-1.evil:111122223333:key/1",
		"aws-kms://arn:aws:kms:eu-central-1:111122223333:alias/chat",
		"aws-kms://arn:aws-other:kms:eu-central-1:111122223333:key/1",
		"aws-kms://arn:aws:s3:eu-central-1:111122223333:key/1",
		"aws-kms://arn:aws:kms:eu-central-1:111122223333:key/1\n",
		"gcp-kms://projects/p/locations/eu/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1",
		"gcp-kms://projects/p/locations/../keyRings/r/cryptoKeys/k",
		"GCP-KMS://projects/p/locations/eu/keyRings/r/cryptoKeys/k",
	} {
		if key, err := kmshelper.ParseKey(uri); !errors.Is(err, kmshelper.ErrURI) {
			t.Errorf("%q is %+v, %v", uri, key, err)
		}
	}
}
