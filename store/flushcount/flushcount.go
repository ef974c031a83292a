// Package flushcount counts how often C code in this program asks the kernel to flush a file to the disk: SQLite's fsync
// and fdatasync. It is for tests and benchmarks; a program that imports it has those two functions replaced. Flushes of
// Go's own os.File.Sync do not pass through the C library and are not counted.
//
// Source: fsync(2); the linker takes a program's own definition of a function before a shared library's (ld(1)).
package flushcount

// long long tillway_flushes(void);
import "C"

// Read is how many flushes there were since the program started, failed ones included.
func Read() int64 { return int64(C.tillway_flushes()) }
