#!/usr/bin/env bash
# Copyright The ChatTenant Authors
# SPDX-License-Identifier: Apache-2.0
#
# Runs every fuzz target of the root module for the given time each. A finding is written below its package's testdata.
set -euo pipefail

time=${1:?usage: fuzz.sh TIME}

git grep -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | while IFS=: read -r file target; do
	name=${target#func }
	echo "== $name ($(dirname "$file"))"
	go test "./$(dirname "$file")" -run '^$' -fuzz "^$name\$" -fuzztime "$time" </dev/null
done
