package serial

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"

	"tillway/device"
)

// openError words why a port could not be opened, and the fix.
func openError(name string, err error) error {
	code := serial.PortErrorCode(-1)
	if pe, ok := errors.AsType[*serial.PortError](err); ok {
		code = pe.Code()
	}
	switch {
	case errors.Is(err, unix.ENOENT), code == serial.PortNotFound:
		return fmt.Errorf("%w: no such port %s: is the cable in?", device.ErrUnplugged, name)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM), code == serial.PermissionDenied:
		return fmt.Errorf("%w: %s may not be opened: add the user to the group %s and start again",
			device.ErrPermission, name, group(name))
	case errors.Is(err, unix.EBUSY), code == serial.PortBusy:
		return fmt.Errorf("%w: %s is in use: stop the other program (pcscd?)", device.ErrBusy, name)
	}
	return ioError(name, err)
}

// group is the group that may open the port: the port's own, or dialout where that would not help.
func group(name string) string {
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err == nil && st.Mode&0o060 == 0o060 && st.Gid != 0 {
		if g, err := user.LookupGroupId(strconv.FormatUint(uint64(st.Gid), 10)); err == nil {
			return g.Name
		}
	}
	return "dialout"
}

// ioError words an error on an open port. There is hardly another cause than a port that is gone: it reads as end of
// file or EIO, and has no settings any more.
func ioError(name string, err error) error {
	return fmt.Errorf("%w: %s: %w", device.ErrUnplugged, name, err)
}
