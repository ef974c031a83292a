package secure

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockedMemory asks for memory that only this process can see, and takes the next best thing.
func lockedMemory(n int) (memory []byte, kind string, done func([]byte) error, err error) {
	if fd, err := unix.MemfdSecret(unix.O_CLOEXEC); err == nil {
		f := os.NewFile(uintptr(fd), "secret")
		if f.Truncate(int64(n)) == nil {
			memory, err = unix.Mmap(fd, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		}
		if err = errors.Join(err, f.Close()); err == nil && memory != nil {
			_ = unix.Madvise(memory, unix.MADV_DONTFORK) // the kernel refuses it nowhere that has the call
			return memory, "memfd_secret: outside the reach of every other process", unix.Munmap, nil
		}
	}
	memory, err = unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, "", nil, err
	}
	kind = "locked memory: not swapped, not in core files; readable by root"
	if unix.Mlock(memory) != nil {
		kind = "warning: memory that may be swapped, because the limit of locked memory (ulimit -l) is too low"
	}
	if err := unix.Madvise(memory, unix.MADV_DONTDUMP); err != nil {
		return nil, "", nil, errors.Join(err, unix.Munmap(memory))
	}
	return memory, kind, unix.Munmap, nil
}
