-- Copyright The ChatTenant Authors
-- SPDX-License-Identifier: Apache-2.0

-- +goose Up

-- kek says where the key of kek_generation lives, for people. revision changes with every change of the keysets or of
-- their wrapping, so that of replicas that change them at once only one succeeds.
ALTER TABLE tenant_keyset
    ADD COLUMN kek        text        NOT NULL DEFAULT 'secret',
    ADD COLUMN revision   bigint      NOT NULL DEFAULT 1,
    ADD COLUMN wrapped_at timestamptz;
UPDATE tenant_keyset SET wrapped_at = created_at;
ALTER TABLE tenant_keyset
    ALTER COLUMN wrapped_at SET DEFAULT now(),
    ALTER COLUMN wrapped_at SET NOT NULL;

-- +goose Down

ALTER TABLE tenant_keyset DROP COLUMN kek, DROP COLUMN revision, DROP COLUMN wrapped_at;
