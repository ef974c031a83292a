//go:build !linux

package secure

// lockedMemory is ordinary memory here.
func lockedMemory(n int) (memory []byte, kind string, done func([]byte) error, err error) {
	return make([]byte, n), "warning: ordinary memory: this system's locked memory is not supported", func([]byte) error { return nil }, nil
}
