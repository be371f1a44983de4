// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"slices"
	"strconv"

	"sigs.k8s.io/yaml"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/serverconfig"
	"github.com/chattenant/chattenant/api/trust"
)

// Where the chat server's pod finds its files.
const (
	chatServerConfigDir = "/etc/chattenant"
	chatServerConfig    = "config.yaml"
	trustDir            = "/etc/chattenant-trust"
	endpointTLSDir      = "/var/run/chattenant/tls"
	postgresClientDir   = "/var/run/chattenant/postgres-client"
	keyDir              = "/var/run/chattenant/kek"
)

// drainSeconds is how long open sockets get to leave when a chat server stops.
const drainSeconds = 20

// Connections to the database. usableConnections are max_connections of postgres/postgresql.conf less those reserved
// for a superuser; every chat server needs one outside its pool, to listen for what the other replicas do.
const (
	usableConnections = 80 - 3
	largestPool       = 8
)

// poolSize divides the database's connections among as many chat servers as there can be at a time.
func poolSize(in Input) int32 {
	return min(largestPool, usableConnections/peakChatServers(in)-1)
}

// chatServerFiles are the chat server's configuration. It names keys and certificates and holds none.
func chatServerFiles(in Input) map[string]string {
	// The type holds strings, integers and lists of them: nothing that could fail to marshal.
	data, _ := yaml.Marshal(serverConfig(in))
	files := map[string]string{chatServerConfig: string(data)}
	for _, key := range externalKeys(in) {
		if key.VaultTransit != nil {
			files[vaultCAFile(key)] = key.VaultTransit.CABundle
		}
	}
	return files
}

func serverConfig(in Input) serverconfig.ChatServerConfiguration {
	return serverconfig.ChatServerConfiguration{
		APIVersion:   serverconfig.APIVersion,
		Kind:         serverconfig.Kind,
		Tenant:       serverTenant(in),
		Endpoint:     serverEndpoint(in),
		Listen:       serverListen(),
		TLS:          keyPair(endpointTLSDir),
		Database:     serverDatabase(in),
		Sealing:      serverSealing(in),
		Egress:       serverEgress(in),
		TrustFile:    trustDir + "/" + trust.FileName,
		DrainSeconds: drainSeconds,
	}
}

func serverListen() serverconfig.Listen {
	return serverconfig.Listen{
		Public: anyAddress(naming.ChatServerPort),
		Health: anyAddress(naming.ChatServerHealthPort),
	}
}

func serverTenant(in Input) serverconfig.Tenant {
	return serverconfig.Tenant{
		Name:        in.Tenant.Name,
		DisplayName: in.Tenant.Spec.DisplayName,
		PolicyURL:   in.Tenant.Spec.Privacy.PolicyURL,
		Region: serverconfig.Region{
			Name:         in.Region.Name,
			DisplayName:  in.Region.Spec.DisplayName,
			Jurisdiction: string(in.Region.Spec.Jurisdiction),
		},
	}
}

// serverEndpoint sorts the origins: they are a set, and another order of the same set should not restart anything.
func serverEndpoint(in Input) serverconfig.Endpoint {
	origins := make([]string, 0, len(in.Tenant.Spec.Endpoint.AllowedOrigins))
	for _, origin := range in.Tenant.Spec.Endpoint.AllowedOrigins {
		origins = append(origins, string(origin))
	}
	slices.Sort(origins)
	return serverconfig.Endpoint{Host: in.Tenant.Spec.Endpoint.Host, AllowedOrigins: origins}
}

func serverDatabase(in Input) serverconfig.Database {
	return serverconfig.Database{
		Host:           naming.ServiceHost(in.Tenant.Name, naming.Postgres),
		Port:           naming.PostgresPort,
		Name:           naming.DatabaseName,
		User:           naming.DatabaseRole,
		TLS:            keyPair(postgresClientDir),
		CAFile:         postgresClientDir + "/ca.crt",
		MaxConnections: poolSize(in),
	}
}

// serverEgress is the way out, where there is one.
func serverEgress(in Input) *egressconfig.Client {
	if in.Egress == nil {
		return nil
	}
	host := naming.ServiceHost(in.Tenant.Name, naming.Egress)
	pair := keyPair(egressClientDir)
	return &egressconfig.Client{
		Address: host + anyAddress(naming.EgressPort), ServerName: host,
		CertFile: pair.CertFile, KeyFile: pair.KeyFile, CAFile: egressClientDir + "/ca.crt",
	}
}

func serverSealing(in Input) serverconfig.Sealing {
	var keys []serverconfig.KeyEncryptionKey
	for _, generation := range keyGenerations(in) {
		if key := in.Tenant.Spec.Encryption.External(generation); key != nil {
			keys = append(keys, externalSealing(key))
			continue
		}
		_, directory := keyVolume(generation)
		keys = append(keys, serverconfig.KeyEncryptionKey{SecretKey: &serverconfig.SecretKey{
			File: directory + "/" + keyFile, Generation: generation,
		}})
	}
	return serverconfig.Sealing{KeyEncryptionKey: keys[0], Previous: keys[1:]}
}

// keyPair names the files that a Secret of type kubernetes.io/tls becomes in directory.
func keyPair(directory string) serverconfig.KeyPair {
	return serverconfig.KeyPair{CertFile: directory + "/tls.crt", KeyFile: directory + "/tls.key"}
}

func anyAddress(port int) string { return ":" + strconv.Itoa(port) }
