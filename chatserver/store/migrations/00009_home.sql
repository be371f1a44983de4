-- Copyright The ChatTenant Authors
-- SPDX-License-Identifier: Apache-2.0

-- +goose Up

-- Where this row was written: database cluster, timeline, table. It is another place in every copy of the database.
-- Unknown counts as another place, so that a copy made before this migration is noticed too.
ALTER TABLE instance ADD COLUMN home text;

-- +goose Down

ALTER TABLE instance DROP COLUMN home;
