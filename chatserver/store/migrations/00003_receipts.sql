-- Copyright The ChatTenant Authors
-- SPDX-License-Identifier: Apache-2.0

-- +goose Up

-- How far each participant has received and read a conversation.
CREATE TABLE receipt (
    conversation uuid   NOT NULL REFERENCES conversation ON DELETE CASCADE,
    reader_kind  text   NOT NULL CHECK (reader_kind IN ('visitor', 'agent')),
    reader       uuid   NOT NULL,
    delivered    bigint NOT NULL CHECK (delivered >= read),
    read         bigint NOT NULL CHECK (read >= 0),
    PRIMARY KEY (conversation, reader)
);

-- +goose Down

DROP TABLE receipt;
