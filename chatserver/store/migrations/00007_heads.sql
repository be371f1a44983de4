-- Copyright The ChatTenant Authors
-- SPDX-License-Identifier: Apache-2.0

-- +goose Up

-- Every message moves the head of its conversation. Room on the page keeps that update away from the indexes.
ALTER TABLE conversation SET (fillfactor = 70);

-- +goose Down

ALTER TABLE conversation RESET (fillfactor);
