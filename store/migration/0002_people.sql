-- +goose Up

PRAGMA user_version = 2;

-- A tag for each row that must not change unseen: of is the table's name and the row's, tag the secure module's over every
-- column. A row without its tag, or with another's, is in quarantine.
CREATE TABLE proof (
    of  TEXT PRIMARY KEY,
    tag BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The keyed token of the sale's card: finds a card's sales without its number.
ALTER TABLE sale ADD COLUMN token TEXT;
CREATE INDEX sale_token ON sale (token, id) WHERE token IS NOT NULL;

-- A sale's newest transition, behind which no older one may pass for it.
CREATE INDEX journal_transition ON journal (sale, seq) WHERE kind = 'sale';

-- What follows something is found by its flag or by its state, so that a change of one of the two hides nothing.
DROP INDEX sale_unfinished;
CREATE INDEX sale_unfinished ON sale (id) WHERE final = 0 OR state NOT IN ('Approved', 'Declined', 'Cancelled', 'Reversed');
DROP INDEX owed_open;
CREATE INDEX owed_open ON owed (id) WHERE final = 0 OR state NOT IN ('Acknowledged', 'Discharged', 'WrittenOff');

-- Who may log in. record is a versioned JSON document with the Argon2id hash; seq is the audit row that wrote it.
CREATE TABLE person (
    name   TEXT PRIMARY KEY,
    record TEXT    NOT NULL,
    seq    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Append-only, gapless from 1, each row with the hash of the one before. No secret and no card data.
CREATE TABLE audit (
    seq      INTEGER PRIMARY KEY,
    time     TEXT NOT NULL,                -- RFC 3339 with nanoseconds, UTC
    actor    TEXT NOT NULL,
    event    TEXT NOT NULL,                -- people.Event
    person   TEXT NOT NULL,                -- whose record the row wrote, or empty
    result   TEXT NOT NULL,                -- people.Result
    note     TEXT NOT NULL,
    previous BLOB NOT NULL,                -- SHA-256 of the row before; zeros in the first
    hash     BLOB NOT NULL                 -- SHA-256 of this one
) STRICT;

CREATE INDEX audit_person ON audit (person, seq) WHERE person <> '';

-- +goose StatementBegin
CREATE TRIGGER audit_in_order BEFORE INSERT ON audit
WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM audit)
BEGIN
    SELECT RAISE(ABORT, 'audit rows follow one another');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_never_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit rows are never changed');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_never_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit rows are never deleted');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER person_never_deleted BEFORE DELETE ON person
BEGIN
    SELECT RAISE(ABORT, 'people are locked, never deleted');
END;
-- +goose StatementEnd
