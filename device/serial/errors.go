package serial

import (
	"errors"
	"fmt"
	"io"
	"os"

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

// group is the group that may open the port: dialout, unless the port says otherwise.
func group(name string) string {
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err != nil || st.Mode&0o060 != 0o060 {
		return "dialout"
	}
	switch st.Gid {
	case 0:
		return "root"
	case 20: // dialout in Debian and what descends from it
		return "dialout"
	}
	return fmt.Sprintf("with number %d", st.Gid)
}

// ioError words an error on an open port. A port that is gone reads as end of file or EIO, and has no settings.
func ioError(name string, err error) error {
	for _, gone := range []error{io.EOF, unix.EIO, unix.ENXIO, unix.ENODEV, unix.ENOENT, os.ErrClosed} {
		if errors.Is(err, gone) {
			return fmt.Errorf("%w: %s is gone: %w", device.ErrUnplugged, name, err)
		}
	}
	return fmt.Errorf("%w: %s: %w", device.ErrUnplugged, name, err)
}
