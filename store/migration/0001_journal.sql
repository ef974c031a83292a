-- +goose Up

-- Tillway's mark ("TILL") and the schema's number. store.Open compares both before it runs anything.
PRAGMA application_id = 1414089804;
PRAGMA user_version = 1;

-- Append-only, gapless from 1. record is a versioned JSON document without clear card data.
CREATE TABLE journal (
    seq      INTEGER PRIMARY KEY,
    time     TEXT    NOT NULL,             -- RFC 3339 with nanoseconds and zone
    kind     TEXT    NOT NULL,             -- terminal.EntryKind
    acquirer TEXT    NOT NULL,             -- empty where the row is about none
    sale     INTEGER NOT NULL,             -- 0 where the row is about none
    debt     INTEGER NOT NULL,             -- 0 where the row is about none
    was      TEXT    NOT NULL,             -- terminal.State before
    event    TEXT    NOT NULL,
    becomes  TEXT    NOT NULL,             -- terminal.State or terminal.DebtState after
    duties   TEXT    NOT NULL,             -- terminal.Duty, separated by blanks
    note     TEXT    NOT NULL,
    record   TEXT    NOT NULL              -- terminal.Sale or terminal.Debt as JSON, or empty
) STRICT;

CREATE INDEX journal_sale ON journal (sale, seq) WHERE sale <> 0;

-- +goose StatementBegin
CREATE TRIGGER journal_in_order BEFORE INSERT ON journal
WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM journal)
BEGIN
    SELECT RAISE(ABORT, 'journal rows follow one another');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER journal_never_changed BEFORE UPDATE ON journal
BEGIN
    SELECT RAISE(ABORT, 'journal rows are never changed');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER journal_never_deleted BEFORE DELETE ON journal
BEGIN
    SELECT RAISE(ABORT, 'journal rows are never deleted');
END;
-- +goose StatementEnd

-- Projection: where each sale stands. Its record is that of the journal row named by seq.
CREATE TABLE sale (
    id       INTEGER PRIMARY KEY,
    acquirer TEXT    NOT NULL,
    batch    INTEGER NOT NULL,
    state    TEXT    NOT NULL,
    final    INTEGER NOT NULL,             -- 0 while something follows
    key      TEXT,                         -- idempotency key
    seq      INTEGER NOT NULL
) STRICT;

CREATE INDEX sale_unfinished ON sale (id) WHERE final = 0;
CREATE UNIQUE INDEX sale_key ON sale (key) WHERE key IS NOT NULL;

-- +goose StatementBegin
CREATE TRIGGER sale_never_deleted BEFORE DELETE ON sale
BEGIN
    SELECT RAISE(ABORT, 'sales are never deleted');
END;
-- +goose StatementEnd

-- Projection: one row a debt, in the order of owing.
CREATE TABLE owed (
    id         INTEGER PRIMARY KEY,
    sale       INTEGER NOT NULL,
    acquirer   TEXT    NOT NULL,
    kind       TEXT    NOT NULL,           -- terminal.DebtKind
    stan       INTEGER NOT NULL,
    state      TEXT    NOT NULL,           -- terminal.DebtState
    final      INTEGER NOT NULL,           -- 0 while something follows
    attempts   INTEGER NOT NULL,
    not_before INTEGER NOT NULL,           -- Unix nanoseconds, 0 for at once
    created    INTEGER NOT NULL,           -- Unix nanoseconds
    reason     TEXT    NOT NULL
) STRICT;

CREATE INDEX owed_open ON owed (id) WHERE final = 0;
CREATE INDEX owed_sale ON owed (sale);

-- +goose StatementBegin
CREATE TRIGGER owed_never_deleted BEFORE DELETE ON owed
BEGIN
    SELECT RAISE(ABORT, 'debts are never deleted');
END;
-- +goose StatementEnd

-- Projection: one row a batch, at most one of an acquirer open.
CREATE TABLE batch (
    acquirer TEXT    NOT NULL,
    number   INTEGER NOT NULL,
    state    TEXT    NOT NULL,             -- 'open'
    opened   TEXT    NOT NULL,
    PRIMARY KEY (acquirer, number)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX batch_open ON batch (acquirer) WHERE state = 'open';

-- Sealed card data, apart from the journal so that it can be deleted. purpose and id name what it belongs to, and are
-- authenticated with it: 'card' and 'request' belong to a sale, 'message' to a debt.
CREATE TABLE card (
    purpose TEXT    NOT NULL,
    id      INTEGER NOT NULL,
    key     TEXT    NOT NULL,              -- name of the sealing key
    sealed  BLOB    NOT NULL,
    PRIMARY KEY (purpose, id)
) STRICT, WITHOUT ROWID;

-- How often the daemon opened the journal and folded its log back. Writing it also costs the log's header its flush
-- there and then, so that no sale pays for it.
CREATE TABLE upkeep (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    opens INTEGER NOT NULL,
    folds INTEGER NOT NULL
) STRICT;

INSERT INTO upkeep (id, opens, folds) VALUES (1, 0, 0);
