// Package paper draws receipts as pictures for receipt printers: a dot is black or white, and the paper is as wide as the printer's head.
// Arabic is shaped, ordered (Unicode's bidirectional algorithm) and rasterised here, because printers' own fonts have none that joins.
//
// Every label, value and line is a paragraph of its own, so that none turns another around: an amount beside Arabic stays as it is.
// Fonts are embedded: Noto Sans and Noto Sans Arabic (fonts/README.md). It prints nothing and keeps nothing.
//
// Sources: Unicode UAX #9 and the OpenType shaping of github.com/go-text/typesetting; golang.org/x/image/vector.
package paper
