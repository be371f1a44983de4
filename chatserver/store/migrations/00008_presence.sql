-- Copyright The ChatTenant Authors
-- SPDX-License-Identifier: Apache-2.0

-- +goose Up

-- Who is connected to which replica. Unlogged: it is of no worth after a crash, costs no flush, and is in no backup.
-- A replica that does not renew its lease has nobody connected.
CREATE UNLOGGED TABLE presence_lease (
    replica uuid        PRIMARY KEY,
    until   timestamptz NOT NULL
);

CREATE UNLOGGED TABLE presence (
    replica     uuid NOT NULL REFERENCES presence_lease ON DELETE CASCADE,
    person      uuid NOT NULL,
    person_kind text NOT NULL CHECK (person_kind IN ('visitor', 'agent')),
    PRIMARY KEY (replica, person)
);
CREATE INDEX presence_person ON presence (person);

-- +goose Down

DROP TABLE presence, presence_lease;
