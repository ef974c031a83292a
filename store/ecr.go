package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tillway/terminal"
	"tillway/terminal/people"
)

// ecrQuery reads an ECR's row as personQuery does a person's: with its tag and the number of the newest audit row about it.
const ecrQuery = `SELECT e.name, e.record, e.seq, p.tag, (SELECT max(a.seq) FROM audit a WHERE a.person = 'ecr:' || e.name)
	FROM ecr e LEFT JOIN proof p ON p.of = 'ecr/' || e.name `

// passphraseKey seals the passphrases of ECRs.
const passphraseKey = "ecr/passphrase"

func registers() registry[people.ECR] {
	return registry[people.ECR]{
		"ecr", "a cash register", ecrQuery, people.MaxECRs, people.ErrNoECR, people.ParseECR,
		func(e *people.ECR, seq int64) string { e.Seq = seq; return e.Name },
	}
}

// ECR finds a cash register by name, one that was revoked as well. Errors: people.ErrNoECR, terminal.ErrQuarantined.
func (s *Store) ECR(ctx context.Context, name string) (people.ECR, error) {
	return registers().find(ctx, s, "WHERE e.name = ?", name)
}

// ECRs are all cash registers, by name, without those in quarantine.
func (s *Store) ECRs(ctx context.Context) ([]people.ECR, error) {
	return registers().all(ctx, s, "ORDER BY e.name")
}

// PutECR writes a cash register's record and the audit rows that say why, in one commit. The last entry must be about it, under its
// actor's name. A record with Seq 0 is new, any other replaces the one it was read from. Errors: people.ErrExists, people.ErrEntry.
func (s *Store) PutECR(ctx context.Context, e people.ECR, entries ...people.Entry) error {
	if err := e.Check(); err != nil {
		return err
	}
	if len(entries) == 0 || entries[len(entries)-1].Person != e.Actor() {
		return fmt.Errorf("%s written without saying why: %w", e.Actor(), people.ErrEntry)
	}
	record, err := e.Record()
	if err != nil {
		return fmt.Errorf("encode %s: %w", e.Actor(), err)
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	return s.auditing(context.WithoutCancel(ctx), func(ctx context.Context, tx *sql.Tx, seq int64) error {
		if err := writeECR(ctx, tx, e, string(record), seq); err != nil {
			return err
		}
		return s.prove(ctx, tx, place("ecr", e.Name), e.Name, string(record), seq)
	}, entries...)
}

func writeECR(ctx context.Context, tx *sql.Tx, e people.ECR, record string, seq int64) error {
	if e.Seq != 0 {
		return one(tx.ExecContext(ctx, "UPDATE ecr SET record = ?, seq = ? WHERE name = ? AND seq = ?", record, seq, e.Name, e.Seq))
	}
	var known bool
	var count int
	if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM ecr WHERE name = ?), (SELECT count(*) FROM ecr)", e.Name).Scan(&known, &count); err != nil {
		return err
	}
	if known {
		return fmt.Errorf("%s: %w", e.Name, people.ErrExists)
	}
	if count >= people.MaxECRs {
		return fmt.Errorf("%d cash registers: %w", count, people.ErrTooManyECRs)
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO ecr (name, record, seq) VALUES (?, ?, ?)", e.Name, record, seq)
	return err
}

// SealPassphrase has the secure module seal an ECR's passphrase for one version, for its record.
func (s *Store) SealPassphrase(ctx context.Context, name string, version int, p people.Passphrase) ([]byte, error) {
	if err := s.sealer.CreateKey(ctx, passphraseKey); err != nil {
		return nil, fmt.Errorf("key of the cash registers' passphrases: %w", err)
	}
	sealed, err := s.sealer.Seal(ctx, passphraseKey, passphraseOf(name, version), p.Bytes())
	if err != nil {
		return nil, fmt.Errorf("seal the passphrase of %s: %w", name, err)
	}
	return sealed, nil
}

// OpenPassphrase is SealPassphrase's inverse; what was sealed for another ECR or version does not open: terminal.ErrQuarantined.
// The caller wipes the passphrase with Clear.
func (s *Store) OpenPassphrase(ctx context.Context, name string, version int, sealed []byte) (people.Passphrase, error) {
	plain, err := s.sealer.Open(ctx, passphraseKey, passphraseOf(name, version), sealed)
	if err != nil {
		if err = s.blame(ctx, err); !errors.Is(err, errModule) {
			err = fmt.Errorf("the passphrase of %s: %w: %w", name, terminal.ErrQuarantined, err)
		}
		return people.Passphrase{}, err
	}
	return people.NewPassphrase(plain)
}

func passphraseOf(name string, version int) []byte {
	return fmt.Appendf(nil, "tillway 1 nexo passphrase %d of ecr %s", version, name)
}
