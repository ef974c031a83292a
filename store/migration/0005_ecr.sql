-- +goose Up

PRAGMA user_version = 5;

-- Cash registers that ask for payments over the network. record is a versioned JSON document: rights, the SHA-256 of the token, sealed
-- passphrases; seq is the audit row that wrote it, whose person is 'ecr:' and the name.
CREATE TABLE ecr (
    name   TEXT PRIMARY KEY,
    record TEXT    NOT NULL,
    seq    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER ecr_never_deleted BEFORE DELETE ON ecr
BEGIN
    SELECT RAISE(ABORT, 'cash registers are revoked, never deleted');
END;
-- +goose StatementEnd
