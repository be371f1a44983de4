// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package kmshelper

import (
	"errors"
	"regexp"
	"strings"
)

// Cloud is whose key service holds a key.
type Cloud string

// Clouds.
const (
	AWS    Cloud = "aws"
	Google Cloud = "gcp"
)

// Key is a key's Tink URI taken apart.
type Key struct {
	Cloud Cloud
	// Name is what the cloud calls it: an ARN or a resource name.
	Name string
	// Region is that of an ARN, empty for Google, whose service has one address everywhere.
	Region string
	suffix string
}

var (
	// An alias will not do: pointed to another key it would leave the keysets without the one that opens them.
	awsKey = regexp.MustCompile(
		`^aws-kms://(arn:([a-z-]+):kms:([a-z]{2,4}(?:-[a-z]+)+-[0-9]):[0-9]{12}:key/[-0-9a-zA-Z]+)$`)
	// Nor will a version: the service picks the one that opens a ciphertext by itself.
	googleKey = regexp.MustCompile(
		`^gcp-kms://(projects/[-.:a-z0-9]+/locations/[-a-z0-9]+/keyRings/[-_a-zA-Z0-9]+/cryptoKeys/[-_a-zA-Z0-9]+)$`)
	awsRole        = regexp.MustCompile(`^arn:[a-z-]+:iam::[0-9]{12}:role/[-+=,.@_/a-zA-Z0-9]+$`)
	googleAudience = regexp.MustCompile(
		`^//iam\.googleapis\.com/projects/[0-9]+/locations/global/workloadIdentityPools/[-a-z0-9]+/providers/[-a-z0-9]+$`)
	googleAccount = regexp.MustCompile(`^[-a-z0-9]+@[-.a-z0-9]+\.gserviceaccount\.com$`)
)

// Where AWS's partitions have their services.
var awsSuffixes = map[string]string{
	"aws": "amazonaws.com", "aws-us-gov": "amazonaws.com", "aws-cn": "amazonaws.com.cn", "aws-eusc": "amazonaws.eu",
}

// ErrURI says what a key's URI has to look like.
var ErrURI = errors.New("want aws-kms://arn:PARTITION:kms:REGION:ACCOUNT:key/ID or " +
	"gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K")

// ParseKey takes a URI apart, or reports ErrURI.
func ParseKey(uri string) (Key, error) {
	if parts := awsKey.FindStringSubmatch(uri); parts != nil && awsSuffixes[parts[2]] != "" {
		return Key{Cloud: AWS, Name: parts[1], Region: parts[3], suffix: awsSuffixes[parts[2]]}, nil
	}
	if parts := googleKey.FindStringSubmatch(uri); parts != nil {
		return Key{Cloud: Google, Name: parts[1]}, nil
	}
	return Key{}, ErrURI
}

// Google's hosts.
const (
	GoogleKMS         = "cloudkms.googleapis.com"
	GoogleTokens      = "sts.googleapis.com" //nolint:gosec // A host, no credential.
	GoogleCredentials = "iamcredentials.googleapis.com"
)

// Hosts are the recipients that using the key takes, all on port 443. The program connects to no other.
func (k Key) Hosts() []string {
	if k.Cloud == AWS {
		return []string{
			strings.Join([]string{"kms", k.Region, k.suffix}, "."), strings.Join([]string{"sts", k.Region, k.suffix}, "."),
		}
	}
	return []string{GoogleKMS, GoogleTokens, GoogleCredentials}
}

// Validate names every field of an identity that is missing or malformed for a key of this cloud.
func (i Identity) Validate(cloud Cloud) (errs []error) {
	if i.TokenFile == "" {
		errs = append(errs, errors.New("tokenFile: missing"))
	}
	if cloud == AWS {
		if !awsRole.MatchString(i.RoleARN) {
			errs = append(errs, errors.New("roleARN: want arn:PARTITION:iam::ACCOUNT:role/NAME"))
		}
		if i.Audience != "" || i.ServiceAccount != "" {
			errs = append(errs, errors.New("audience, serviceAccount: only for Google"))
		}
		return errs
	}
	if !googleAudience.MatchString(i.Audience) {
		errs = append(errs, errors.New("audience: want //iam.googleapis.com/projects/NUMBER/locations/global/"+
			"workloadIdentityPools/POOL/providers/PROVIDER"))
	}
	if i.ServiceAccount != "" && !googleAccount.MatchString(i.ServiceAccount) {
		errs = append(errs, errors.New("serviceAccount: want NAME@PROJECT.iam.gserviceaccount.com"))
	}
	if i.RoleARN != "" {
		errs = append(errs, errors.New("roleARN: only for AWS"))
	}
	return errs
}
