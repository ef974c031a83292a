-- +goose Up

PRAGMA user_version = 4;

-- A batch's record is that of its newest transition, as in the journal; a batch that has none yet has the record it was opened with, and
-- one from before this migration has an empty one, and is open. final: nothing follows. keyed: the batch's key may still be there.
ALTER TABLE batch ADD COLUMN record TEXT NOT NULL DEFAULT '';
ALTER TABLE batch ADD COLUMN final INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batch ADD COLUMN keyed INTEGER NOT NULL DEFAULT 1;

-- Sales go into one batch of an acquirer at a time.
DROP INDEX batch_open;
CREATE UNIQUE INDEX batch_open ON batch (acquirer) WHERE state IN ('open', 'Open', 'Draining');

-- What follows something is found by its flag or by its state, so that a change of one of the two hides nothing.
CREATE INDEX batch_unsettled ON batch (acquirer, number) WHERE final = 0 OR state <> 'Closed';
CREATE INDEX batch_keyed ON batch (acquirer, number) WHERE final <> 0 AND keyed <> 0;

CREATE INDEX sale_batch ON sale (acquirer, batch, id);
CREATE INDEX card_key ON card (key);

-- +goose StatementBegin
CREATE TRIGGER batch_never_deleted BEFORE DELETE ON batch
BEGIN
    SELECT RAISE(ABORT, 'batches are never deleted');
END;
-- +goose StatementEnd
