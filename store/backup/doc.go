// Package backup is the form of a terminal's backup: one file with a manifest and the files that it names, each with its length and
// SHA-256. It is a gzip'ed tar whose first member is the manifest.
//
// It knows nothing of what the files mean. Only names of a fixed list are written and taken, so that none leads out of the folder that it is
// unpacked into; every length is in the manifest, bounded, before a byte is written; and a backup that ends early or has more in it is
// refused whole. It is no signature: the rows of the journal in it authenticate themselves under the terminal's own keys.
//
// Sources: POSIX.1-2001, pax (tar); RFC 1952 (gzip); FIPS 180-4 (SHA-256).
package backup
