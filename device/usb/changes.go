package usb

import (
	"context"
	"strings"
	"time"
)

// pollChanges is how often a value comes where the kernel cannot be heard.
const pollChanges = 2 * time.Second

// usbChange says that a message of the kernel is about a USB device that came or went, not about one of its interfaces.
// The message is "ACTION@PATH", then "KEY=value" each ended by a zero byte (Linux, lib/kobject_uevent.c).
func usbChange(message []byte) bool {
	words := strings.Split(string(message), "\x00")
	if len(words) < 2 || !strings.Contains(words[0], "@") {
		return false // of udevd, or of nobody
	}
	var action, subsystem, kind string
	for _, word := range words[1:] {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "ACTION":
			action = value
		case "SUBSYSTEM":
			subsystem = value
		case "DEVTYPE":
			kind = value
		}
	}
	return subsystem == "usb" && kind == "usb_device" && (action == "add" || action == "remove" || action == "bind")
}

// signal puts a value into a channel that may have one already.
func signal(changes chan<- struct{}) {
	select {
	case changes <- struct{}{}:
	default:
	}
}

// poll is a value every few seconds, until the context ends.
func poll(ctx context.Context, changes chan<- struct{}) {
	ticker := time.NewTicker(pollChanges)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			signal(changes)
		case <-ctx.Done():
			return
		}
	}
}
