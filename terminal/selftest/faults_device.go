package selftest

import "slices"

// deviceFaults are those of readers, PIN pads and printers. device/survey finds them.
func deviceFaults() []Row { return slices.Concat(readerFaults(), padFaults(), printerFaults()) }

func readerFaults() []Row {
	return []Row{
		{"reader_missing", Reader, Fault, "no card reader is where the configuration says", "Plug the reader in and switch it on; if it is in, compare [reader] with what pos readers lists."},
		{"reader_permission", Reader, Fault, "this user may not open the card reader", "Put the user into the group of the reader's device, and start again; a reader on USB takes the udev rules of the package."},
		{"reader_claimed", Reader, Fault, "pcscd has the card reader", "Stop it (systemctl disable --now pcscd.socket pcscd.service), or let it have the reader: driver = \"pcsc\" in [reader]."},
		{"reader_in_use", Reader, Fault, "another program has the card reader", "Stop that program, and see that it does not start again."},
		{"reader_kernel_driver", Reader, Fault, "a driver of the kernel has the card reader and does not let go", "Write \"blacklist DRIVER\" into a file of /etc/modprobe.d, and start the machine anew."},
		{"reader_unlisted", Reader, Fault, "the card reader is of no kind that is known to work", "To use it all the same, write its id into reader.allow, and give it a udev rule."},
		{"reader_silent", Reader, Fault, "the card reader is there, and does not answer", "Unplug it and plug it in again; a serial one needs power, and a cable with all wires."},
		{"reader_wrong_speed", Reader, Fault, "the card reader speaks at another speed", "Set the reader to the speed that its driver uses."},
		{"reader_wrong_device", Reader, Fault, "another device is where the card reader should be", "Compare the cables with [reader] port; names below /dev/serial/by-id stay with the device."},
		{"pcscd_down", Reader, Fault, "pcscd does not run, and the reader is to be had through it", "Start it with systemctl enable --now pcscd.socket."},
		{"pcscd_refuses", Reader, Fault, "pcscd does not let this user in", "Give the user a polkit rule for pcscd: firmware-notes/pc-sc.md has one."},
		{"card_mute", Reader, Warning, "the card in the reader does not answer", "Take it out, turn it so that the chip goes in first and faces the contacts, and wipe the chip; else try another card."},
	}
}

func padFaults() []Row {
	return []Row{
		{"pin_pad_missing", PINPad, Fault, "no PIN pad is where the configuration says", "Plug the pad in and switch it on; if it is in, correct [pin] pad."},
		{"pin_pad_permission", PINPad, Fault, "this user may not open the PIN pad's port", "Put the user that keyd runs as into the group of the port, and start again."},
		{"pin_pad_in_use", PINPad, Fault, "another program has the PIN pad's port", "Stop that program, and see that it does not start again."},
		{"pin_pad_silent", PINPad, Fault, "the PIN pad's port is there, and no pad answers on it", "Switch the pad on, and see that both ends of its cable are in."},
		{"pin_pad_wrong_speed", PINPad, Fault, "the PIN pad speaks at another speed", "Set the pad to 115200 baud, 8 data bits, no parity, 1 stop bit."},
		{"pin_pad_wrong_device", PINPad, Fault, "another device is where the PIN pad should be", "Compare the cables with [pin] pad; names below /dev/serial/by-id stay with the device."},
		{"pin_pad_tampered", PINPad, Fault, "the PIN pad has found tampering, and erased its keys", "Take it away, have it inspected, and use another."},
		{"pin_pad_not_paired", PINPad, Fault, "PIN pad and terminal do not know each other", "Load the same pairing key into both (pos keys import pinpad pad FILE)."},
		{"pin_pad_no_key", PINPad, Fault, "the PIN pad has no key for PINs", "Load it with pos keys pad, two people together."},
	}
}

func printerFaults() []Row {
	return []Row{
		{"printer_missing", Printer, Warning, "no receipt printer is where the configuration says", "Switch the printer on and put its cable in; if it is in, compare [printer] port with what pos printers lists."},
		{"printer_permission", Printer, Warning, "this user may not open the receipt printer", "Put the user into the group of the printer's device, and start again."},
		{"printer_in_use", Printer, Warning, "another program has the receipt printer", "Stop that program, and see that it does not start again; cupsd takes printers on USB."},
		{"printer_several", Printer, Warning, "several printers are on USB, and none is named", "Name the receipt printer by its id in [printer] port."},
		{"printer_unreachable", Printer, Warning, "the receipt printer cannot be reached over the network", "Switch it on, put its network cable in, and compare [printer] port with the address on its self-test."},
		{"printer_silent", Printer, Warning, "the receipt printer does not answer", "Switch it on, and see that both ends of its cable are in; it has to answer in ESC/POS."},
		{"printer_wrong_speed", Printer, Warning, "the receipt printer speaks at another speed", "Write the speed that it has into [printer] baud."},
		{"printer_wrong_device", Printer, Warning, "another device is where the receipt printer should be", "Compare the cables with [printer] port; names below /dev/serial/by-id stay with the device."},
		{"printer_paper_out", Printer, Warning, "the receipt printer has no paper", "Put a new roll in and shut the cover: what waits is printed then."},
		{"printer_paper_low", Printer, Warning, "the receipt printer's roll is nearly at its end", "Have a new roll at hand."},
		{"printer_cover_open", Printer, Warning, "the receipt printer's cover is open", "Shut it."},
		{"printer_cutter", Printer, Warning, "the receipt printer's cutter is jammed", "Take the paper out, and switch the printer off and on."},
		{"printer_fault", Printer, Warning, "the receipt printer reports a fault", "Switch it off and on; if that does not help, call support."},
		{"printer_offline", Printer, Warning, "the receipt printer is off line", "See whether its feed button is pressed, then switch it off and on."},
	}
}
