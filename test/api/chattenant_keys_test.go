// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"slices"
)

const (
	certificate = `-----BEGIN CERTIFICATE-----
MIIBRTCB7aADAgECAgEBMAoGCCqGSM49BAMCMBIxEDAOBgNVBAMTB2V4YW1wbGUw
IBcNMjYwMTAxMDAwMDAwWhgPMjEyNjAxMDEwMDAwMDBaMBIxEDAOBgNVBAMTB2V4
YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATdsLRp+R2wKBSz4hG2h5Z7
gkDJCo7RSgno1p8PlTJWKq7zTTtkNhjLtmJZK2I01iACV+cKeTLpBMwLlfjefFkC
ozIwMDAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBR5as9zxymumFOho6lBnVU7
TOrVhzAKBggqhkjOPQQDAgNHADBEAiADa4Ot9ESg3AZuwk3Ln14sJmZ2L1lOB+F5
EJj5BGHfswIgeG7v4Tolk2QO/NMIxsCz8FiCXp0ctdGrMcRgKSTe7tk=
-----END CERTIFICATE-----
`
	awsURI         = "aws-kms://arn:aws:kms:eu-central-1:111122223333:key/0a000000-0000-4000-8000-000000000000"
	googleURI      = "gcp-kms://projects/p/locations/l/keyRings/r/cryptoKeys/k"
	googleProvider = "//iam.googleapis.com/projects/4/locations/global/workloadIdentityPools/p/providers/i"
)

var keyBounds = slices.Concat(
	vaultBounds("spec.encryption.vaultTransit"), cloudBounds("spec.encryption.kms"),
	vaultBounds("spec.encryption.previous[].vaultTransit"), cloudBounds("spec.encryption.previous[].kms"),
	[]bound{
		{"spec.encryption.previous", minItems, []any{vault(1)}, []any{}},
		{"spec.encryption.previous", maxItems, numbered(16, vaultOf), numbered(17, vaultOf)},
	},
)

func vaultBounds(at string) []bound {
	return slices.Concat(
		needed(at+".generation", at+".address", at+".mountPath", at+".key", at+".login", at+".caBundle"),
		number(at+".generation", 1, 100),
		[]bound{
			{at + ".address", minLength, "https://a.b", "https://ab"},
			{at + ".address", maxLength, "https://" + hostName(253) + ":65535", "https://" + hostName(254) + ":65535"},
		},
		matches(at+".address", "https://vault.example:8200", "http://vault.example"),
		matches(at+".address", "https://vault.example", "https://10.0.0.1"),
		matches(at+".address", "https://v.example:1", "https://vault.example/v1"),
		text(at+".mountPath", 1, 128),
		matches(at+".mountPath", "eu/transit", "../transit"),
		text(at+".key", 1, 128),
		matches(at+".key", "acme.v1", "a/b"),
		needed(at+".login.mountPath", at+".login.role", at+".login.audience"),
		text(at+".login.mountPath", 1, 128),
		matches(at+".login.mountPath", "eu/kubernetes", "../kubernetes"),
		text(at+".login.role", 1, 128),
		matches(at+".login.role", "chat.acme", "a/b"),
		text(at+".login.audience", 3, 253),
		matches(at+".login.audience", "https://vault.example:8200/", "vault example"),
		textLike(at+".caBundle", 55, 32768, func(n int) string { return padded("-----BEGIN CERTIFICATE-----\n", n) }),
		matches(at+".caBundle", certificate, "-----BEGIN PRIVATE KEY-----\n"+a(64)),
	)
}

func cloudBounds(at string) []bound {
	return slices.Concat(
		needed(at+".generation", at+".uri"),
		number(at+".generation", 1, 100),
		textLike(at+".uri", 56, 500, func(n int) string {
			return padded("gcp-kms://projects/p/locations/l/keyRings/r/cryptoKeys/", n)
		}),
		matches(at+".uri", awsURI, "aws-kms://arn:aws:kms:eu-central-1:111122223333:alias/of-a-key-of-the-tenant"),
		matches(at+".uri", googleURI, googleURI+"/cryptoKeyVersions/1"),
		matches(at+".uri", googleURI, "azure-kms://vault.example.test/keys/a-key-of-the-tenant/1"),
		textLike(at+".roleARN", 32, 256, func(n int) string { return padded("arn:aws:iam::111122223333:role/", n) }),
		matches(at+".roleARN", "arn:aws:iam::111122223333:role/chat/acme", "arn:aws:iam::111122223333:user/chat-acme"),
		textLike(at+".workloadIdentityProvider", 84, 300, func(n int) string {
			return padded("//iam.googleapis.com/projects/4/locations/global/workloadIdentityPools/p/providers/", n)
		}),
		matches(at+".workloadIdentityProvider", googleProvider, "https:"+googleProvider),
		textLike(at+".serviceAccount", 27, 200, func(n int) string { return a(n-26) + "@p.iam.gserviceaccount.com" }),
		matches(at+".serviceAccount", "chat@p.iam.gserviceaccount.com", "chat@gserviceaccount.example.com"),
	)
}

func transit(generation int) map[string]any {
	return map[string]any{
		"generation": generation, "address": "https://vault.example", "mountPath": "transit", "key": "acme",
		"login":    map[string]any{"mountPath": "jwt", "role": "chat-acme", "audience": "vault.example"},
		"caBundle": certificate,
	}
}

func awsKey(generation int) map[string]any {
	return map[string]any{
		"generation": generation, "uri": awsURI, "roleARN": "arn:aws:iam::111122223333:role/chat-acme",
	}
}

func googleKey(generation int) map[string]any {
	return map[string]any{"generation": generation, "uri": googleURI, "workloadIdentityProvider": googleProvider}
}

// vault and aws are keys of before.
func vault(generation int) map[string]any { return map[string]any{"vaultTransit": transit(generation)} }
func aws(generation int) map[string]any   { return map[string]any{"kms": awsKey(generation)} }

func vaultOf(i int) map[string]any { return vault(i + 1) }

// with is a structure with one more field.
func with(in map[string]any, name string, value any) map[string]any {
	out := map[string]any{name: value}
	for other, v := range in {
		if other != name {
			out[other] = v
		}
	}
	return out
}

var providers = map[string]string{"secret": "Secret", "vaultTransit": "VaultTransit", "kms": "KMS"}

// keys asks for a key, with others of before.
func keys(place string, key map[string]any, before ...map[string]any) change {
	encryption := map[string]any{"provider": providers[place], place: key}
	if len(before) > 0 {
		encryption["previous"] = before
	}
	return set("spec.encryption", encryption)
}

func vaultKey(generation int, before ...map[string]any) change {
	return keys("vaultTransit", transit(generation), before...)
}

// generation asks for a key of the tenant's Secrets.
func generation(n int) change { return keys("secret", map[string]any{"generation": n}) }

const (
	rotationsByOne = "the generation of encryption counts rotations"
	anotherKey     = "another key is another generation"
	keyOfBefore    = "the key of before must stay in encryption.previous"
	keysStay       = "keys stay in encryption.previous"
	noOtherKey     = "only the key that was in use before comes into encryption.previous"
	ownAudience    = "audience must be the key service's own"
	noPrivateKey   = "a private key does not belong here"
	awsRole        = "roleARN is required for a key of AWS"
	googlesWay     = "workloadIdentityProvider is required for a key of Google"
	googlesAccount = "serviceAccount is only allowed for a key of Google"
)

var keyRules = slices.Concat(unionRules, rotationRules, vaultRules("spec.encryption.vaultTransit"),
	vaultRules("spec.encryption.previous[].vaultTransit"), cloudRules("spec.encryption.kms"),
	cloudRules("spec.encryption.previous[].kms"))

var unionRules = []rule{
	{name: "a transit key without its place", at: "spec.encryption",
		message: "vaultTransit is required for provider VaultTransit",
		offered: []change{set("spec.encryption.provider", "VaultTransit")}},
	{name: "a transit key of another provider", at: "spec.encryption",
		message: "vaultTransit is required for provider VaultTransit",
		offered: []change{vaultKey(1), set("spec.encryption.provider", "Secret")}},
	{name: "a cloud key without its place", at: "spec.encryption", message: "kms is required for provider KMS",
		offered: []change{set("spec.encryption.provider", "KMS")}},
	{name: "a cloud key of another provider", at: "spec.encryption", message: "kms is required for provider KMS",
		offered: []change{keys("kms", awsKey(1)), set("spec.encryption.provider", "Secret")}},
	{name: "a generation of a key elsewhere", at: "spec.encryption", message: "secret is only allowed for provider Secret",
		offered: []change{vaultKey(1), set("spec.encryption.secret.generation", 1)}},
	{name: "a key of before of the same generation", at: "spec.encryption", message: "have lower generations",
		offered: []change{vaultKey(2, vault(2))}},
	{name: "a key of before that is newer", at: "spec.encryption", message: "have lower generations",
		offered: []change{keys("secret", map[string]any{"generation": 2}, aws(3))}},
	{name: "a key of before of the first Secret's generation", at: "spec.encryption", message: "have lower generations",
		offered: []change{set("spec.encryption.provider", "Secret"), set("spec.encryption.previous", []any{vault(1)})}},
	{name: "two keys of one generation", at: "spec.encryption", message: "a generation of its own",
		offered: []change{vaultKey(3, vault(2), aws(2))}},
	{name: "a key of before in two places", at: "spec.encryption.previous[]", message: "exactly one of",
		offered: []change{vaultKey(2, with(vault(1), "kms", awsKey(1)))}},
}

var rotationRules = []rule{
	{name: "two rotations at once", at: "spec", message: rotationsByOne,
		stored: []change{generation(2)}, offered: []change{generation(4)}},
	{name: "two rotations at once, the first one left out", at: "spec", message: rotationsByOne,
		stored: asIs, offered: []change{generation(3)}},
	{name: "a rotation taken back", at: "spec", message: rotationsByOne,
		stored: []change{generation(2)}, offered: []change{generation(1)}},
	{name: "a rotation forgotten", at: "spec", message: rotationsByOne,
		stored: []change{generation(2)}, offered: []change{set("spec.encryption", absent)}},
	{name: "a rotation too far in Vault", at: "spec", message: rotationsByOne,
		stored: []change{vaultKey(1)}, offered: []change{vaultKey(3, vault(1))}},
	{name: "a move back by leaving it out", at: "spec", message: rotationsByOne,
		stored: []change{vaultKey(2)}, offered: []change{set("spec.encryption", absent)}},

	{name: "a move that counts nothing", at: "spec", message: anotherKey, stored: asIs, offered: []change{vaultKey(1)}},
	{name: "a move back that counts nothing", at: "spec", message: anotherKey,
		stored: []change{vaultKey(1)}, offered: []change{set("spec.encryption", absent)}},
	{name: "another transit key", at: "spec", message: anotherKey,
		stored: []change{vaultKey(1)}, offered: []change{set("spec.encryption.vaultTransit.key", "globex")}},
	{name: "another transit engine", at: "spec", message: anotherKey,
		stored: []change{vaultKey(1)}, offered: []change{set("spec.encryption.vaultTransit.mountPath", "other")}},
	{name: "another key of a cloud", at: "spec", message: anotherKey,
		stored:  []change{keys("kms", awsKey(1))},
		offered: []change{set("spec.encryption.kms.uri", awsURI[:len(awsURI)-1]+"1")}},
	{name: "another cloud", at: "spec", message: anotherKey,
		stored: []change{keys("kms", awsKey(1))}, offered: []change{keys("kms", googleKey(1))}},
	{name: "from Vault to a cloud, uncounted", at: "spec", message: anotherKey,
		stored: []change{vaultKey(1)}, offered: []change{keys("kms", awsKey(1))}},

	{name: "a move that forgets the key of before", at: "spec", message: keyOfBefore,
		stored: []change{vaultKey(1)}, offered: []change{generation(2)}},
	{name: "a move that forgets a cloud's key", at: "spec", message: keyOfBefore,
		stored: []change{keys("kms", awsKey(1))}, offered: []change{vaultKey(2)}},
	{name: "a move that remembers another key", at: "spec", message: keyOfBefore, stored: []change{vaultKey(1)},
		offered: []change{vaultKey(2, map[string]any{"vaultTransit": with(transit(1), "key", "globex")})}},
	{name: "a move that remembers another generation", at: "spec", message: keyOfBefore, stored: []change{vaultKey(2)},
		offered: []change{vaultKey(3, vault(1))}},

	{name: "a key of before taken out", at: "spec", message: keysStay,
		stored: []change{vaultKey(2, vault(1))}, offered: []change{set("spec.encryption.previous", absent)}},
	{name: "a key of before replaced", at: "spec", message: keysStay,
		stored: []change{vaultKey(2, vault(1))}, offered: []change{set("spec.encryption.previous", []any{aws(1)})}},
	{name: "a key of before of another engine", at: "spec", message: keysStay, stored: []change{vaultKey(2, vault(1))},
		offered: []change{set("spec.encryption.previous[].vaultTransit.mountPath", "other")}},
	{name: "everything forgotten", at: "spec", message: keysStay, stored: []change{
		keys("secret", map[string]any{"generation": 2}, vault(1))}, offered: []change{set("spec.encryption", absent)}},

	{name: "a key in the place of a Secret", at: "spec", message: noOtherKey,
		stored: []change{vaultKey(2)}, offered: []change{vaultKey(2, vault(1))}},
	{name: "a key in the place of a Secret, when moving", at: "spec", message: noOtherKey,
		stored: asIs, offered: []change{vaultKey(2, aws(1))}},
}

// offeredAt puts a key where it is in use or where it is one of before.
func offeredAt(at, field string, value any) []change {
	changes := []change{vaultKey(2, vault(1))}
	switch at {
	case "spec.encryption.kms":
		changes = []change{keys("kms", awsKey(2), vault(1))}
	case "spec.encryption.previous[].kms":
		changes = []change{vaultKey(2, aws(1))}
	}
	return append(changes, set(at+field, value))
}

func vaultRules(at string) (rules []rule) {
	for _, audience := range []string{
		"https://kubernetes.default.svc", "https://kubernetes.default.svc.cluster.local", "kubernetes", "kubernetes.default",
		"https://kubernetes.default.svc.cluster.local:443/", "api",
	} {
		rules = append(rules, rule{name: at + " for " + audience, at: at + ".login.audience", message: ownAudience,
			offered: offeredAt(at, ".login.audience", audience)})
	}
	return append(rules, rule{name: at + " with a private key", at: at + ".caBundle", message: noPrivateKey,
		offered: offeredAt(at, ".caBundle", certificate+"-----BEGIN EC PRIVATE KEY-----\nMIIB\n")})
}

func cloudRules(at string) []rule {
	return []rule{
		{name: at + " of AWS without a role", at: at, message: awsRole, offered: offeredAt(at, ".roleARN", absent)},
		{name: at + " of Google with a role", at: at, message: awsRole, offered: offeredAt(at, ".uri", googleURI)},
		{name: at + " of Google without a provider", at: at, message: googlesWay, offered: offeredAt(at, ".uri", googleURI)},
		{name: at + " of AWS with a provider", at: at, message: googlesWay,
			offered: offeredAt(at, ".workloadIdentityProvider", googleProvider)},
		{name: at + " of AWS with an account of Google's", at: at, message: googlesAccount,
			offered: offeredAt(at, ".serviceAccount", "chat@p.iam.gserviceaccount.com")},
	}
}
