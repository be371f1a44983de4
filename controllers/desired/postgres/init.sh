#!/bin/sh
# Copyright The ChatTenant Authors
# SPDX-License-Identifier: Apache-2.0
#
# Makes the tenant's database at $PGDATA if there is none. It may be killed at any moment and run again: everything is
# made beside $PGDATA and appears there in one rename, complete and on disk. What exists is never changed.
set -eu
umask 077

staging="$PGDATA.new"
scripts=$(dirname "$0")

fail() {
	echo "init: $*" >&2
	exit 1
}

# The server would refuse another major version's files with a hint that does not fit here.
require_same_major() {
	created=$(cat "$PGDATA/PG_VERSION")
	image=$(postgres --version)
	image=${image#*PostgreSQL) }
	image=${image%%[!0-9]*}
	[ "$created" = "$image" ] ||
		fail "the database was made by PostgreSQL $created and the image holds $image: use an image of $created"
}

# Statements are read up to an empty line, and the first error ends the run. The server's own defaults would take more
# memory than a small pod has.
run_sql() {
	postgres --single -j -D "$staging" -c exit_on_error=true -c shared_buffers=16MB -c log_checkpoints=off \
		"$1" <"$2" >/dev/null
}

if [ -e "$PGDATA" ]; then
	[ -s "$PGDATA/PG_VERSION" ] || fail "$PGDATA exists and is no database: nothing was changed"
	require_same_major
	# The server insists on this mode, and a volume's group may have been applied to the whole tree.
	chmod 0700 "$PGDATA"
	exit 0
fi

rm -rf "$staging"
# Byte order for collation: an index must not depend on the version of the image's C library.
initdb --pgdata="$staging" --username=postgres --encoding=UTF8 --locale=C.UTF-8 --lc-collate=C --data-checksums \
	--auth-local=peer --auth-host=reject --no-sync --no-instructions
run_sql postgres "$scripts/init-cluster.sql"
run_sql chat "$scripts/init-database.sql"
initdb --pgdata="$staging" --sync-only
mv "$staging" "$PGDATA"
sync
