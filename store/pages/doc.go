// Package pages reads rows out of the pages of an SQLite database that SQLite itself no longer opens: one with a header of zeros, with pages
// that are damaged or missing at the end, or without its write-ahead log. It follows no tree and trusts no page: every page that looks like
// one with rows is read by itself, in the database as in the log, and whatever has the form of a row is given out. So the same row comes more
// than once, and old versions of rows come too. What a row is worth, its reader has to know by other means: the journal's rows carry tags.
//
// It writes nothing and has no state. Every length and offset is checked before it is used; a page that makes no sense gives no rows.
//
// Sources: sqlite.org/fileformat2.html, 1.5 (pages and their cells), 1.6 (overflow), 2.1 (records), 4.1 (the log's frames).
package pages
