// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import _ "embed" // The files are read and linted as what they are.

// Names of the files in the database's ConfigMap that others refer to.
const (
	postgresConfig     = "postgresql.conf"
	postgresInitScript = "init.sh"
)

//go:embed postgres/init.sh
var initScript string

//go:embed postgres/init-cluster.sql
var initClusterSQL string

//go:embed postgres/init-database.sql
var initDatabaseSQL string

//go:embed postgres/postgresql.conf
var serverConf string

//go:embed postgres/pg_hba.conf
var authenticationRules string

//go:embed postgres/pg_ident.conf
var identityMap string

// postgresFiles are the same for every tenant: whom the server trusts is decided by the authority that is mounted.
func postgresFiles() map[string]string {
	return map[string]string{
		postgresInitScript:  initScript,
		"init-cluster.sql":  initClusterSQL,
		"init-database.sql": initDatabaseSQL,
		postgresConfig:      serverConf,
		"pg_hba.conf":       authenticationRules,
		"pg_ident.conf":     identityMap,
	}
}
