-- Copyright The ChatTenant Authors
-- SPDX-License-Identifier: Apache-2.0

-- +goose Up

-- What this database is: whose, and which of its histories. A restore to an earlier state must change the epoch.
CREATE TABLE instance (
    singleton  boolean     PRIMARY KEY DEFAULT true CHECK (singleton),
    tenant     text        NOT NULL,
    epoch      bigint      NOT NULL CHECK (epoch > 0),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- The tenant's keysets, wrapped by the key-encryption key of that generation.
CREATE TABLE tenant_keyset (
    singleton      boolean     PRIMARY KEY DEFAULT true CHECK (singleton),
    kek_generation bigint      NOT NULL,
    sealing        bytea       NOT NULL,
    index          bytea       NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE visitor (
    id         uuid        PRIMARY KEY,
    token_hash bytea       NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

-- One wrapped keyset per visitor, apart from the visitor's row: deleting it erases the person.
CREATE TABLE subject_key (
    visitor uuid  PRIMARY KEY REFERENCES visitor,
    wrapped bytea NOT NULL
);

-- email, display_name and password are sealed; email_index is the blind index that sign-in looks up.
CREATE TABLE agent (
    id           uuid        PRIMARY KEY,
    email_index  bytea       NOT NULL UNIQUE,
    email        bytea       NOT NULL,
    display_name bytea       NOT NULL,
    password     bytea,
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE agent_session (
    id         uuid        PRIMARY KEY,
    token_hash bytea       NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    agent      uuid        NOT NULL REFERENCES agent ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX agent_session_agent ON agent_session (agent);

CREATE TABLE invitation (
    token_hash  bytea       PRIMARY KEY CHECK (length(token_hash) = 32),
    agent       uuid        NOT NULL REFERENCES agent ON DELETE CASCADE,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    redeemed_at timestamptz
);
CREATE INDEX invitation_agent ON invitation (agent);

-- contact_name and contact_email are sealed with the visitor's key.
CREATE TABLE conversation (
    id            uuid        PRIMARY KEY,
    visitor       uuid        NOT NULL REFERENCES visitor,
    client_id     uuid        NOT NULL,
    head          bigint      NOT NULL DEFAULT 0 CHECK (head >= 0),
    contact_name  bytea,
    contact_email bytea,
    opened_at     timestamptz NOT NULL,
    touched_at    timestamptz NOT NULL,
    closed_at     timestamptz,
    UNIQUE (visitor, client_id)
);
-- Parallel first words make one conversation.
CREATE UNIQUE INDEX conversation_open ON conversation (visitor) WHERE closed_at IS NULL;
-- Replicas that missed a notification find what changed lately.
CREATE INDEX conversation_touched ON conversation (touched_at);

-- body is sealed with the key of the conversation's visitor, whoever wrote it.
CREATE TABLE event (
    conversation uuid        NOT NULL REFERENCES conversation,
    seq          bigint      NOT NULL CHECK (seq > 0),
    id           uuid        NOT NULL UNIQUE,
    kind         text        NOT NULL CHECK (kind IN ('message')),
    author_kind  text        NOT NULL CHECK (author_kind IN ('visitor', 'agent')),
    author       uuid        NOT NULL,
    client_id    uuid        NOT NULL,
    body         bytea       NOT NULL,
    at           timestamptz NOT NULL,
    PRIMARY KEY (conversation, seq),
    UNIQUE (conversation, author, client_id)
);

-- +goose Down

DROP TABLE event, conversation, invitation, agent_session, agent, subject_key, visitor, tenant_keyset, instance;
