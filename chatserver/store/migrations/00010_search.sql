-- Copyright The ChatTenant Authors
-- SPDX-License-Identifier: Apache-2.0

-- +goose Up

ALTER TABLE conversation ADD COLUMN contact_phone bytea, ADD COLUMN contact_external_id bytea;

-- What of a conversation can be searched for, made with the key index_key: its contact, and its events up to seq.
-- Everything below hangs on it, and it on the visitor's key, so that nothing outlives either.
CREATE TABLE search_conversation (
    conversation uuid   PRIMARY KEY REFERENCES conversation ON DELETE CASCADE,
    visitor      uuid   NOT NULL REFERENCES subject_key ON DELETE CASCADE,
    index_key    bigint NOT NULL,
    seq          bigint NOT NULL DEFAULT 0 CHECK (seq >= 0)
);
CREATE INDEX search_conversation_visitor ON search_conversation (visitor);

-- Blind indexes of contact data, by the sealed column of conversation.
CREATE TABLE search_contact (
    conversation uuid  NOT NULL REFERENCES search_conversation ON DELETE CASCADE,
    field        text  NOT NULL CHECK (field IN ('contact_email', 'contact_phone', 'contact_external_id')),
    value        bytea NOT NULL CHECK (length(value) = 32),
    PRIMARY KEY (conversation, field)
);
CREATE INDEX search_contact_value ON search_contact (field, value);

-- Keyed tokens of the words of a message as it stands, a set without order. They are others in every period, see
-- search_period. at is the message's own time, whenever it was edited.
CREATE TABLE search_message (
    conversation uuid        NOT NULL REFERENCES search_conversation ON DELETE CASCADE,
    message      uuid        NOT NULL,
    at           timestamptz NOT NULL,
    tokens       integer[]   NOT NULL,
    PRIMARY KEY (conversation, message)
);
CREATE INDEX search_message_tokens ON search_message USING gin (tokens);

-- The periods of which there are messages.
CREATE TABLE search_period (
    period integer PRIMARY KEY
);

-- A server that missed a rotation must not index with the old key any more, see require_primary_key. The row is written
-- in the same transaction as everything made with the key.
-- +goose StatementBegin
CREATE FUNCTION search_conversation_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM require_primary_key(NULL, NEW.index_key);
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER search_conversation_guard BEFORE INSERT OR UPDATE ON search_conversation
    FOR EACH ROW EXECUTE FUNCTION search_conversation_guard();

-- +goose Down

DROP TABLE search_period, search_message, search_contact, search_conversation;
DROP FUNCTION search_conversation_guard;
ALTER TABLE conversation DROP COLUMN contact_phone, DROP COLUMN contact_external_id;
