// The definitions of fsync and fdatasync in the program itself come before the C library's for everything that is linked
// into it, SQLite among it. They count, then do what was asked.
#define _GNU_SOURCE
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_llong flushes;

int fdatasync(int fd) {
	atomic_fetch_add(&flushes, 1);
	return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd) {
	atomic_fetch_add(&flushes, 1);
	return (int)syscall(SYS_fsync, fd);
}

long long tillway_flushes(void) { return atomic_load(&flushes); }
