package usbccid

import (
	"slices"

	"tillway/device/usb"
)

// A Model is a reader that is driven without being named in the configuration.
type Model struct {
	ID   usb.ID
	Name string
}

// models are contact readers of libccid's list (readers/supported_readers.txt of 2015-10-22, sections "supported" and
// "shouldwork"), with tokens, contactless readers and readers inside other devices left out, in the order of
// their ids. Keyboards with a reader are among those: who may open one may take its keys from the kernel and read them. The rows
// with a mark are of firmware-notes/usb-ccid.md, not of that list.
var models = []Model{
	{usb.ID{Vendor: 0x03F0, Product: 0x0824}, "HP USB Smartcard Reader"},
	{usb.ID{Vendor: 0x046A, Product: 0x003E}, "Cherry SmartTerminal ST-2xxx"},
	{usb.ID{Vendor: 0x046A, Product: 0x0092}, "Cherry TC 1300"},
	{usb.ID{Vendor: 0x04E6, Product: 0x5113}, "SCM SCR33x"},
	{usb.ID{Vendor: 0x04E6, Product: 0x5115}, "SCM SCR335"},
	{usb.ID{Vendor: 0x04E6, Product: 0x5116}, "SCM SCR3310"},
	{usb.ID{Vendor: 0x04E6, Product: 0x5117}, "SCM SCR3320"},
	{usb.ID{Vendor: 0x04E6, Product: 0x511D}, "SCM SCR3311"},
	{usb.ID{Vendor: 0x04E6, Product: 0x511F}, "SCM SCR3310 v2"},
	{usb.ID{Vendor: 0x04E6, Product: 0x5410}, "SCM SCR355"},
	{usb.ID{Vendor: 0x04E6, Product: 0x5810}, "Identive CLOUD 2700 R"},
	{usb.ID{Vendor: 0x04E6, Product: 0x5811}, "Identiv uTrust 2900 R"},
	{usb.ID{Vendor: 0x04E6, Product: 0x5812}, "Identiv uTrust 2910 R"},
	{usb.ID{Vendor: 0x04E6, Product: 0x5814}, "Identiv SCR3500 A"},
	{usb.ID{Vendor: 0x04E6, Product: 0x5815}, "Identiv SCR3500 B"},
	{usb.ID{Vendor: 0x04E6, Product: 0x581C}, "Identiv SCR35xx"},
	{usb.ID{Vendor: 0x04E6, Product: 0xE001}, "SCM SCR331"},
	{usb.ID{Vendor: 0x04E6, Product: 0xE003}, "SCM SPR532"},
	{usb.ID{Vendor: 0x058F, Product: 0x9520}, "Alcor Micro AU9520"},
	{usb.ID{Vendor: 0x058F, Product: 0x9522}, "Alcor Micro AU9522"},
	{usb.ID{Vendor: 0x072F, Product: 0x90CC}, "ACS ACR38U-CCID"},
	{usb.ID{Vendor: 0x072F, Product: 0xB100}, "ACS ACR39U ICC Reader"},
	{usb.ID{Vendor: 0x076B, Product: 0x1021}, "OMNIKEY CardMan 1021"},
	{usb.ID{Vendor: 0x076B, Product: 0x3021}, "OMNIKEY CardMan 3121"},
	{usb.ID{Vendor: 0x076B, Product: 0x3022}, "OMNIKEY 3121 USB"},
	{usb.ID{Vendor: 0x076B, Product: 0x3031}, "OMNIKEY 3x21"}, // firmware-notes
	{usb.ID{Vendor: 0x076B, Product: 0x3621}, "OMNIKEY CardMan 3621"},
	{usb.ID{Vendor: 0x076B, Product: 0x3821}, "OMNIKEY CardMan 3821"},
	{usb.ID{Vendor: 0x076B, Product: 0x6622}, "OMNIKEY CardMan 6121"},
	{usb.ID{Vendor: 0x076B, Product: 0x6623}, "OMNIKEY 6121 USB mobile"},
	{usb.ID{Vendor: 0x0783, Product: 0x0006}, "C3PO LTC31 v2"},
	{usb.ID{Vendor: 0x0783, Product: 0x0010}, "C3PO LTC32"},
	{usb.ID{Vendor: 0x0783, Product: 0x0036}, "C3PO LTC36"},
	{usb.ID{Vendor: 0x08E6, Product: 0x3437}, "Gemalto PC Twin Reader"},
	{usb.ID{Vendor: 0x08E6, Product: 0x3478}, "Gemalto GemPC Pinpad"},
	{usb.ID{Vendor: 0x08E6, Product: 0x34C0}, "Gemalto Ezio Shield"},
	{usb.ID{Vendor: 0x08E6, Product: 0x34EC}, "Gemalto GemPC Express"},
	{usb.ID{Vendor: 0x08E6, Product: 0x4433}, "Gemplus 433-Swap, and QEMU's usb-ccid"},
	{usb.ID{Vendor: 0x096E, Product: 0x0505}, "Feitian SCR310"},
	{usb.ID{Vendor: 0x0982, Product: 0x0040}, "Covadis Auriga"},
	{usb.ID{Vendor: 0x09C3, Product: 0x0013}, "ActivIdentity USB Reader V3"},
	{usb.ID{Vendor: 0x0B0C, Product: 0x0050}, "Todos Argos Mini II"},
	{usb.ID{Vendor: 0x0BF8, Product: 0x1006}, "Fujitsu SmartCard USB 2A"},
	{usb.ID{Vendor: 0x0CA6, Product: 0x00A0}, "Castles EZCCID"},
	{usb.ID{Vendor: 0x0D46, Product: 0x3001}, "KOBIL KAAN Base"},
	{usb.ID{Vendor: 0x0D46, Product: 0x3002}, "KOBIL KAAN Advanced"},
	{usb.ID{Vendor: 0x0DC3, Product: 0x1004}, "Athena ASEDrive IIIe"},
	{usb.ID{Vendor: 0x0F14, Product: 0x0038}, "Xiring Leo v2"},
	{usb.ID{Vendor: 0x1A44, Product: 0x0855}, "VASCO DP855"},
	{usb.ID{Vendor: 0x1A44, Product: 0x0865}, "VASCO DP865"},
	{usb.ID{Vendor: 0x1A44, Product: 0x0920}, "VASCO DIGIPASS 920"},
}

// Models are the readers that are driven without being named in the configuration, in the order of their ids.
func Models() []Model { return slices.Clone(models) }

// known says that a reader is on the list, or on the configuration's.
func known(id usb.ID, allow []usb.ID) bool {
	return slices.ContainsFunc(models, func(m Model) bool { return m.ID == id }) || slices.Contains(allow, id)
}

// A quirkRow is a reader whose descriptor is wrong.
type quirkRow struct {
	id    usb.ID
	level uint32 // bits of dwFeatures in place of its own
}

// quirks are descriptors that say what is not so (libccid, ccid.c).
var quirks = []quirkRow{
	{usb.ID{Vendor: 0x076B, Product: 0x3022}, levelTPDU}, // announces APDU level
}

func quirk(id usb.ID) (quirkRow, bool) {
	i := slices.IndexFunc(quirks, func(q quirkRow) bool { return q.id == id })
	if i < 0 {
		return quirkRow{}, false
	}
	return quirks[i], true
}
