// Package survey finds the card readers, PIN pads and receipt printers of a machine, and says of one of them what is wrong with it and what
// to do, as findings of the terminal's test of itself. Whoever shows devices to a technician (pos readers, pos printers, pos selftest, posd)
// asks here, so that one fault has one name and one remedy everywhere.
//
// It looks in three depths. List opens nothing: it reads /sys, the list of pcscd, and says who may open what. Look does the same for one
// device that is named. Examine opens the device as its driver would, asks who is there, and closes it again: it is for a device that nobody
// uses. A serial line on which the wrong thing answers, or nothing, is asked at other speeds and in the words of the other devices, so that a
// printer in the place of a reader is called a printer.
//
// It drives nothing: no card is paid with, no PIN asked for, and no paper printed but a test page that somebody wants. Linux only. Sources:
// the drivers' own; proc(5); Linux's Documentation/ABI/testing/sysfs-class-tty.
package survey
