// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package serverconfig_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chattenant/chattenant/api/serverconfig"
)

const firstKey = "{secretKey: {file: /kek/key, generation: 1}}"

// sealed is a complete configuration with another sealing.
func sealed(t *testing.T, sealing string) string {
	t.Helper()
	out := strings.Replace(complete, "sealing: "+firstKey, "sealing: "+sealing, 1)
	if !strings.Contains(out, "sealing: "+sealing) {
		t.Fatal("the sealing was not replaced")
	}
	return out
}

// transit is a key in Vault or OpenBao, authenticated in the given way.
func transit(auth string) string {
	return "vaultTransit: {generation: 3, address: 'https://vault.example:8200', mountPath: transit, key: acme, " +
		"caFile: /vault/ca.crt, auth: {" + auth + "}}"
}

const (
	jwt         = "jwt: {mountPath: kubernetes, role: chat-acme, file: /vault/token}"
	certificate = "certificate: {mountPath: cert, role: chat-acme, keyPair: {certFile: /c/tls.crt, keyFile: /c/tls.key}}"
)

// Keys of clouds.
const (
	awsKMS = "kms: {generation: 1, uri: 'aws-kms://arn:aws:kms:eu-central-1:111122223333:key/a-1', program: /kms, " +
		"identity: {tokenFile: /token, roleARN: 'arn:aws:iam::111122223333:role/chat-acme'}}"
	googleKMS = "kms: {generation: 1, uri: 'gcp-kms://projects/p/locations/eu/keyRings/r/cryptoKeys/k', program: /kms, " +
		"identity: {tokenFile: /token, serviceAccount: chat@p.iam.gserviceaccount.com, audience: " +
		"'//iam.googleapis.com/projects/4/locations/global/workloadIdentityPools/p/providers/i'}}"
)

func TestEveryProviderIsRead(t *testing.T) {
	for name, sealing := range map[string]string{
		"secret":            firstKey,
		"token":             "{" + transit("tokenFile: /vault/token") + "}",
		"jwt":               "{" + transit(jwt) + "}",
		"certificate":       "{" + transit(certificate) + ", cacheSeconds: 300}",
		"aws":               "{" + awsKMS + "}",
		"gcp":               "{" + googleKMS + "}",
		"secret to service": "{" + transit(jwt) + ", previous: [{secretKey: {file: /kek/key, generation: 2}}]}",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := serverconfig.Parse([]byte(sealed(t, sealing))); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestKeysAreOrderedByGenerationWhereverTheyLive(t *testing.T) {
	c, err := serverconfig.Parse([]byte(sealed(t, "{"+transit(jwt)+
		", previous: [{secretKey: {file: /kek/1, generation: 1}}, {secretKey: {file: /kek/2, generation: 2}}]}")))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Sealing.Generation(); got != 3 || c.Sealing.Previous[1].Generation() != 2 {
		t.Errorf("the newest is generation %d of %+v", got, c.Sealing)
	}
	if got := c.Sealing.CacheTime(); got != 24*time.Hour {
		t.Errorf("keys are used for %v without confirmation, want a day", got)
	}
}

func TestEveryMistakeAboutKeysIsNamed(t *testing.T) {
	tests := map[string]struct{ sealing, want string }{
		"no key":                 {"{}", "sealing: want exactly one of"},
		"two keys at once":       {"{secretKey: {file: /kek/key, generation: 1}, " + transit(jwt) + "}", "exactly one of"},
		"no generation":          {"{secretKey: {file: /kek/key}}", "generation: want at least 1"},
		"a generation twice":     {"{secretKey: {file: /a, generation: 2}, previous: [" + second + "]}", "previous[0]"},
		"a previous that is new": {"{secretKey: {file: /a, generation: 1}, previous: [" + second + "]}", "previous[0]"},
		"a previous without key": {"{secretKey: {file: /a, generation: 2}, previous: [{}]}", "sealing.previous[0]"},
		"a short cache":          {"{secretKey: {file: /a, generation: 1}, cacheSeconds: 299}", "cacheSeconds"},
		"a negative cache":       {"{secretKey: {file: /a, generation: 1}, cacheSeconds: -1}", "cacheSeconds"},
		"no way in":              {"{" + transit("") + "}", "auth: want exactly one of"},
		"two ways in":            {"{" + transit(jwt+", tokenFile: /vault/token") + "}", "auth: want exactly one of"},
		"plain HTTP":             {"{" + strings.Replace(transit(jwt), "https:", "http:", 1) + "}", "address"},
		"an address with a path": {"{" + strings.Replace(transit(jwt), ":8200", ":8200/v1", 1) + "}", "address"},
		"a login in the address": {"{" + strings.Replace(transit(jwt), "//vault", "//a:b@vault", 1) + "}", "address"},
		"no transit key":         {"{" + strings.Replace(transit(jwt), "key: acme", "key: ''", 1) + "}", "vaultTransit.key"},
		"no CA":                  {"{" + strings.Replace(transit(jwt), "/vault/ca.crt", "''", 1) + "}", "caFile"},
		"a key in Azure":         {"{" + strings.Replace(awsKMS, "aws-kms", "azure-kms", 1) + "}", "kms.uri"},
		"an alias":               {"{" + strings.Replace(awsKMS, "key/", "alias/", 1) + "}", "kms.uri"},
		"a version of a key":     {"{" + strings.Replace(googleKMS, "Keys/k", "Keys/k/versions/1", 1) + "}", "kms.uri"},
		"no helper":              {"{" + strings.Replace(awsKMS, "/kms", "''", 1) + "}", "kms.program"},
		"no token":               {"{" + strings.Replace(awsKMS, "/token", "''", 1) + "}", "kms.identity.tokenFile"},
		"no role in AWS":         {"{" + strings.Replace(awsKMS, "role/", "user/", 1) + "}", "kms.identity.roleARN"},
		"Google's in AWS":        {"{" + strings.Replace(awsKMS, "role", "audience: a, role", 1) + "}", "for Google"},
		"no audience":            {"{" + strings.Replace(googleKMS, "//iam", "iam", 1) + "}", "kms.identity.audience"},
		"AWS's in Google":        {"{" + strings.Replace(googleKMS, "aud", "roleARN: a, aud", 1) + "}", "only for AWS"},
		"nobody's account": {
			"{" + strings.Replace(googleKMS, "@p.", "@example.com/", 1) + "}", "kms.identity.serviceAccount",
		},
		"no role": {"{" + strings.Replace(transit(jwt), "role: chat-acme", "role: ''", 1) + "}", "jwt.role"},
		"no client key": {
			"{" + strings.Replace(transit(certificate), "/c/tls.key", "''", 1) + "}", "keyPair.keyFile",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := serverconfig.Parse([]byte(sealed(t, test.sealing))); err == nil ||
				!strings.Contains(err.Error(), test.want) {
				t.Errorf("Parse = %v, want %q named", err, test.want)
			}
		})
	}
}

const second = "{secretKey: {file: /b, generation: 2}}"
