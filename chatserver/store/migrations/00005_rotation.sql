-- Copyright The ChatTenant Authors
-- SPDX-License-Identifier: Apache-2.0

-- +goose Up

-- sealing_primary and index_primary are the ids of the keys that seal and index; they are not known before a server
-- opened the keysets.
-- sealing_at and index_at are when those keys came into use; of keys that were there before it is now, so that no
-- rotation comes due while servers are replaced that know nothing of it.
ALTER TABLE tenant_keyset
    ADD COLUMN sealing_primary bigint,
    ADD COLUMN index_primary bigint,
    ADD COLUMN sealing_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ADD COLUMN index_at timestamptz NOT NULL DEFAULT clock_timestamp();

-- A rotation under way, at most one per keyset. retiring are the keys that go, revision is the one since which the
-- keyset has the new key, at is when the phase began.
CREATE TABLE keyset_rotation (
    keyset       text        PRIMARY KEY CHECK (keyset IN ('sealing', 'index')),
    phase        text        NOT NULL DEFAULT 'requested' CHECK (phase IN ('requested', 'published', 'promoted', 'drained')),
    key          bigint,
    retiring     bigint[]    NOT NULL DEFAULT '{}',
    revision     bigint      NOT NULL DEFAULT 0,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((phase = 'requested') = (key IS NULL))
);

-- Which revision of the keysets each replica holds, noted only while a rotation is under way.
CREATE TABLE keyset_holder (
    replica  uuid        PRIMARY KEY,
    revision bigint      NOT NULL,
    seen_at  timestamptz NOT NULL
);

-- Visitors whose own keyset is to be rotated.
CREATE TABLE subject_rotation (
    visitor      uuid        PRIMARY KEY REFERENCES visitor ON DELETE CASCADE,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- revision counts the changes of a visitor's keyset; key_revision repeats it in each of their conversations, whose lock
-- every writer holds, so that nobody goes on sealing with a key that was replaced.
ALTER TABLE subject_key ADD COLUMN revision bigint NOT NULL DEFAULT 1;
ALTER TABLE conversation ADD COLUMN key_revision bigint NOT NULL DEFAULT 1;

-- The key that email_index was computed with; unknown if a server of an earlier version did.
ALTER TABLE agent ADD COLUMN email_index_key bigint;

-- sealed_with is the id of the key that a ciphertext (which begins with 01) or a wrapped keyset (which begins with 12,
-- the length of its ciphertext in as many bytes as have the highest bit set and one more, and the ciphertext) was made
-- with.
-- +goose StatementBegin
CREATE FUNCTION sealed_with(sealed bytea) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN length(sealed) < 10 THEN NULL
        WHEN get_byte(sealed, 0) = 1 THEN ('x' || encode(substring(sealed FROM 2 FOR 4), 'hex'))::bit(32)::bigint
        WHEN get_byte(sealed, 0) <> 18 THEN NULL
        WHEN get_byte(sealed, 1) < 128 THEN ('x' || encode(substring(sealed FROM 4 FOR 4), 'hex'))::bit(32)::bigint
        WHEN get_byte(sealed, 2) < 128 THEN ('x' || encode(substring(sealed FROM 5 FOR 4), 'hex'))::bit(32)::bigint
        WHEN get_byte(sealed, 3) < 128 THEN ('x' || encode(substring(sealed FROM 6 FOR 4), 'hex'))::bit(32)::bigint
    END
$$;
-- +goose StatementEnd

-- How many are left under an old key, and which, without reading the others.
CREATE INDEX subject_key_sealed_with ON subject_key (sealed_with(wrapped), visitor);

-- A server that missed a rotation must not seal with the old key any more, or the row would be lost when that key goes.
-- The lock makes a change of the primary key wait for whoever is writing with the old one. CT001 tells the server to
-- read the keysets again.
-- +goose StatementBegin
CREATE FUNCTION require_primary_key(used_to_seal bigint, used_to_index bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM tenant_keyset
        WHERE coalesce(used_to_seal = sealing_primary, true) AND coalesce(used_to_index = index_primary, true)
        FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the key is not the primary one' USING ERRCODE = 'CT001';
    END IF;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION subject_key_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM require_primary_key(sealed_with(NEW.wrapped), NULL);
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER subject_key_guard BEFORE INSERT OR UPDATE OF wrapped ON subject_key
    FOR EACH ROW EXECUTE FUNCTION subject_key_guard();

-- +goose StatementBegin
CREATE FUNCTION agent_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was agent;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        was := OLD;
    END IF;
    IF NEW.email IS DISTINCT FROM was.email THEN
        PERFORM require_primary_key(sealed_with(NEW.email), NULL);
    END IF;
    IF NEW.display_name IS DISTINCT FROM was.display_name THEN
        PERFORM require_primary_key(sealed_with(NEW.display_name), NULL);
    END IF;
    IF NEW.password IS DISTINCT FROM was.password THEN
        PERFORM require_primary_key(sealed_with(NEW.password), NULL);
    END IF;
    IF NEW.email_index IS DISTINCT FROM was.email_index THEN
        PERFORM require_primary_key(NULL, NEW.email_index_key);
    END IF;
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER agent_guard BEFORE INSERT OR UPDATE ON agent FOR EACH ROW EXECUTE FUNCTION agent_guard();

-- Whoever changes a keyset counts it, so that whoever else is about to notices.
-- +goose StatementBegin
CREATE FUNCTION tenant_keyset_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.revision <> OLD.revision + 1 THEN
        RAISE EXCEPTION 'a changed keyset needs the next revision';
    END IF;
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER tenant_keyset_guard BEFORE UPDATE OF sealing, index ON tenant_keyset
    FOR EACH ROW EXECUTE FUNCTION tenant_keyset_guard();

-- +goose Down

DROP TRIGGER tenant_keyset_guard ON tenant_keyset;
DROP TRIGGER agent_guard ON agent;
DROP TRIGGER subject_key_guard ON subject_key;
DROP FUNCTION tenant_keyset_guard(), agent_guard(), subject_key_guard(), require_primary_key(bigint, bigint);
DROP INDEX subject_key_sealed_with;
DROP FUNCTION sealed_with(bytea);
ALTER TABLE agent DROP COLUMN email_index_key;
ALTER TABLE conversation DROP COLUMN key_revision;
ALTER TABLE subject_key DROP COLUMN revision;
DROP TABLE subject_rotation, keyset_holder, keyset_rotation;
ALTER TABLE tenant_keyset
    DROP COLUMN sealing_primary, DROP COLUMN index_primary,
    DROP COLUMN sealing_at, DROP COLUMN index_at;
