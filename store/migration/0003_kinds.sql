-- +goose Up

PRAGMA user_version = 3;

-- Of a sale's record: its kind, what it adds to its batch in minor units (credits below zero, 0 for what was not approved or
-- captures nothing), and the earlier transaction that it is about (0: none). Until now every sale was one, about nothing.
ALTER TABLE sale ADD COLUMN kind TEXT NOT NULL DEFAULT 'sale';
ALTER TABLE sale ADD COLUMN minor INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sale ADD COLUMN about INTEGER NOT NULL DEFAULT 0;

UPDATE sale SET minor = coalesce((
    SELECT CASE WHEN json_valid(j.record) THEN json_extract(j.record, '$.amount.minor') END FROM journal j WHERE j.seq = sale.seq
), 0) WHERE state = 'Approved';

CREATE INDEX sale_about ON sale (about, id) WHERE about <> 0;
