// Package spool has receipts printed, each once and whole, without holding up a sale.
//
// The journal is its queue. A file keeps up to which row sales were looked at, and the few jobs behind that: written before a job's
// first byte goes to the printer, and again when the printer has said that it is on paper. So a power cut, a printer without paper or
// a pulled cable lose no receipt, and one that may have come out before is printed again as a duplicate and says so. A slip to be
// signed is printed from the running sale and is not kept: without its answer there is no such sale.
//
// A printer that never confirms would print for ever; after a few tries the job is held until somebody looks.
// It draws nothing (Config.Draw) and drives nothing (Printer).
package spool
