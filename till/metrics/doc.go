// Package metrics is what the terminal tells whoever watches over it: figures for Prometheus, and whether it lives and can sell.
//
// Everything comes from the journal and from one look at the terminal, taken when somebody asks; nothing in the sale knows of it. Counters
// begin at the start of the daemon. No figure has card data, a person's name or a reference, and every label is of a closed list.
//
// Sources: Prometheus' exposition format and its rules for names (base units, _total, _seconds); RFC 9110 for the two answers of health.
package metrics
