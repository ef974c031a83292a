-- The books. Nothing is changed or deleted: the triggers refuse it.
CREATE TABLE entry (
	number   INTEGER PRIMARY KEY,
	at       TEXT NOT NULL,
	kind     TEXT NOT NULL,
	ref      TEXT NOT NULL,
	currency TEXT NOT NULL
) STRICT;

CREATE TABLE leg (
	entry   INTEGER NOT NULL REFERENCES entry (number),
	line    INTEGER NOT NULL,
	account TEXT NOT NULL,
	minor   INTEGER NOT NULL CHECK (minor <> 0),
	PRIMARY KEY (entry, line)
) STRICT, WITHOUT ROWID;

CREATE TABLE record (
	number INTEGER PRIMARY KEY,
	key    TEXT NOT NULL,
	body   BLOB NOT NULL
) STRICT;

CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER entry_no_delete BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER leg_no_update BEFORE UPDATE ON leg BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER leg_no_delete BEFORE DELETE ON leg BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER record_no_update BEFORE UPDATE ON record BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER record_no_delete BEFORE DELETE ON record BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
