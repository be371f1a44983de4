-- Copyright The ChatTenant Authors
-- SPDX-License-Identifier: Apache-2.0

-- +goose Up

-- Messages are edited and deleted by further events. A deletion takes the texts of its message and of its edits away.
ALTER TABLE event
    ALTER COLUMN body DROP NOT NULL,
    ADD COLUMN target uuid,
    DROP CONSTRAINT event_kind_check,
    ADD CONSTRAINT event_kind_check CHECK (kind IN ('message', 'edit', 'deletion')),
    ADD CONSTRAINT event_target_check CHECK ((kind = 'message') = (target IS NULL)),
    ADD CONSTRAINT event_body_check CHECK (kind <> 'deletion' OR body IS NULL);
CREATE INDEX event_target ON event (conversation, target) WHERE target IS NOT NULL;

-- +goose Down

DELETE FROM event WHERE kind <> 'message' OR body IS NULL;
ALTER TABLE event
    DROP CONSTRAINT event_body_check,
    DROP CONSTRAINT event_target_check,
    DROP CONSTRAINT event_kind_check,
    DROP COLUMN target,
    ALTER COLUMN body SET NOT NULL,
    ADD CONSTRAINT event_kind_check CHECK (kind IN ('message'));
