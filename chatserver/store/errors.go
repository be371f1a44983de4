// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// Classes of SQLSTATE: the first two characters of an error's code.
const (
	classDataException      = "22"
	classIntegrityViolation = "23"
)

// IsRefusal tells an error about the data from one about the connection or the server: trying the same again cannot
// help, trying without the offending row can.
func IsRefusal(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || len(pgErr.Code) < 2 {
		return false
	}
	class := pgErr.Code[:2]
	return class == classDataException || class == classIntegrityViolation
}
