package selftest

import "slices"

// The checks, in the order in which a report shows them.
const (
	Daemon       = "daemon"
	Software     = "software"
	Permissions  = "permissions"
	Disk         = "disk"
	Store        = "store"
	Clock        = "clock"
	Keys         = "keys"
	Parameters   = "parameters"
	CAKeys       = "CA keys"
	Certificates = "certificates"
	Host         = "host"
	Queue        = "queue"
	Reader       = "reader"
	PINPad       = "PIN pad"
	Printer      = "printer"
)

// Checks lists all of them in that order.
func Checks() []string {
	return []string{Daemon, Software, Permissions, Disk, Store, Clock, Keys, Parameters, CAKeys, Certificates, Host, Queue, Reader, PINPad, Printer}
}

// Row is one fault that the test can name. docs/faults.md has each of them; a test holds that page to this table.
type Row struct {
	ID     string // stable, snake case
	Check  string
	Status Status // Fault or Warning
	What   string // in general, a few words
	Fix    string // one sentence, where the finding does not name a better one
}

// Faults is the table of every fault.
func Faults() []Row {
	return slices.Concat(programFaults(), diskFaults(), keyFaults(), certificateFaults(), hostFaults(), queueFaults(), deviceFaults())
}

// Find looks a fault up by its id.
func Find(id string) (Row, bool) {
	all := Faults()
	at := slices.IndexFunc(all, func(r Row) bool { return r.ID == id })
	if at < 0 {
		return Row{}, false
	}
	return all[at], true
}

func programFaults() []Row {
	return []Row{
		{"posd_down", Daemon, Fault, "posd does not run", "Start it with systemctl start tillway-posd, or see its log."},
		{"config_wrong", Daemon, Fault, "posd does not start with its configuration", "Put that right in the configuration, and start posd."},
		{"folder_open", Permissions, Fault, "other users can read a folder of the terminal's", "Take the rights of others away with chmod."},
		{"folder_closed", Permissions, Fault, "a folder cannot be used by this user", "Give the folder to the user that posd runs as with chown."},
		{"socket_open", Permissions, Warning, "every user can reach a socket of the terminal's", "Stop posd, put the socket into a folder that only its group may enter, and start posd."},
	}
}

func diskFaults() []Row {
	return []Row{
		{"disk_full", Disk, Fault, "no room is left on the state folder's disk", "Make room on the disk; files in the state folder are not to be deleted."},
		{"disk_low", Disk, Warning, "little room is left on the state folder's disk", "Make room on the disk: below 64 MiB nothing is approved without the bank."},
		{"disk_read_only", Disk, Fault, "the state folder's disk takes no writing", "See the kernel's log for the disk's errors, replace it if it has any, and mount it for writing."},
		{"disk_flush", Disk, Fault, "the disk does not confirm what was written", "Stop selling, and replace the disk."},
		{"row_corrupt", Store, Fault, "a row of the journal does not authenticate", "Keep the state folder as it is, and call support: the row is left out, and the rest goes on."},
		{"database_corrupt", Store, Fault, "the database is damaged", "Stop posd, keep the state folder as it is, and put the last backup back with posd restore."},
		{"database_missing", Store, Fault, "the database is not there, or not all that belongs to it", "Put the last backup back with posd restore."},
		{"audit_cut", Store, Fault, "the audit log is not whole", "Keep the state folder as it is, and call support."},
		{"counter_behind", Store, Warning, "a counter is behind what the witness has seen", "An older state folder was put back: compare with the bank's list before the next sale."},
		{"clock_skew", Clock, Fault, "the clock differs from the bank's", "Set the clock of this machine, and let it follow a time server (timedatectl set-ntp true)."},
		{"clock_back", Clock, Fault, "the clock is behind the newest row of the journal", "Set the clock of this machine, and let it follow a time server (timedatectl set-ntp true)."},
	}
}

func keyFaults() []Row {
	return []Row{
		{"keyd_gone", Keys, Fault, "the secure module does not answer", "Start posd again: it starts keyd; see its log for what keyd said last."},
		{"keys_destroyed", Keys, Fault, "every key of this terminal was erased", "Begin with a new state folder, and load new keys."},
		{"mac_key_missing", Keys, Fault, "the key that messages are authenticated with is missing", "Load it with pos keys import."},
		{"pin_key_missing", Keys, Fault, "the key that PINs are enciphered with is missing", "Load it with pos keys import."},
		{"pin_pad_not_ready", PINPad, Fault, "the PIN pad takes no PINs", "See pos keys status for what it says."},
		{"wrong_mac_key", Keys, Fault, "the bank has another MAC key", "Compare the check value with the bank's (pos keys status), and load the key that the bank has with pos keys import."},
		{"wrong_key_version", Keys, Fault, "the bank has another generation of session keys", "Have new ones brought with pos keys exchange --anew; where that fails, compare the master key's check value with the bank's."},
		{"parameters_old", Parameters, Warning, "the terminal runs with older parameters than there are, or was brought older ones", "Start posd again."},
		{"parameters_missing", Parameters, Fault, "no parameter package is in force", "Apply one with pos provision apply FILE."},
		{"parameters_unsigned", Parameters, Warning, "the last parameter package was not whole, or not signed by somebody who is trusted", "Fetch the package again; if it is refused again, have it signed by somebody whom the terminal trusts (pos provision status)."},
		{"parameters_refused", Parameters, Warning, "the last parameter package could not be used", "Have the package put right at the office, and signed with a higher version."},
		{"parameters_signer", Parameters, Warning, "a signer of parameter packages may soon sign no more", "Have the next package signed before that day, with a later last day or another signer under [[trust]]."},
		{"ca_keys_file", CAKeys, Fault, "the file of the certification authorities' keys cannot be used", "Put there what the acquirer gave, and name it in ca_keys."},
		{"ca_keys_ended", CAKeys, Warning, "a public key of a certification authority has expired", "Get the new keys from the acquirer, and name their file in ca_keys."},
		{"ca_keys_end", CAKeys, Warning, "a public key of a certification authority expires soon", "Get the new keys from the acquirer, and name their file in ca_keys."},
	}
}

func certificateFaults() []Row {
	return []Row{
		{"wrong_ca", Certificates, Fault, "the host's certificate is of another authority", "Put the acquirer's CA certificate into the file that acquirer.ca names; if it is there already, call the acquirer: somebody may sit on the line."},
		{"certificate_name", Certificates, Fault, "the host's certificate is for another name", "Write the name that the acquirer gave into acquirer.server_name, or correct acquirer.address."},
		{"certificate_expired", Certificates, Fault, "a certificate has expired", "Get a new one from the acquirer."},
		{"certificate_not_yet", Certificates, Fault, "a certificate is not valid yet", "Set the clock of this machine if it is behind; else call the acquirer."},
		{"certificate_ends", Certificates, Warning, "a certificate expires soon", "Get a new one from the acquirer."},
		{"certificate_file", Certificates, Fault, "a certificate's file cannot be used", "Put the file there as the acquirer sent it (PEM)."},
		{"certificate_refused", Certificates, Fault, "the host does not take this terminal's certificate", "Name the certificate that the acquirer issued in acquirer.certificate and acquirer.key."},
	}
}

func hostFaults() []Row {
	return []Row{
		{"network_down", Host, Fault, "this machine has no network", "Plug the network cable in, or put the network right; ip link shows it."},
		{"host_name", Host, Fault, "the host's name has no address", "Correct acquirer.address, or put this machine's name server right."},
		{"host_closed", Host, Fault, "nobody listens at the host's address", "Compare acquirer.address with what the acquirer gave; if it is right, call the acquirer."},
		{"host_unreachable", Host, Fault, "the host's address cannot be reached", "Look at cable, router and firewall of the shop; if they are right, call the acquirer."},
		{"host_silent", Host, Fault, "the host takes the connection, and begins no TLS", "Compare the port in acquirer.address with what the acquirer gave; if it is right, call the acquirer."},
		{"standby_down", Host, Warning, "one of several hosts cannot be used", "Sales go to the others: compare acquirer.standby with what the acquirer gave, and call the acquirer."},
		{"wrong_tpdu", Host, Fault, "the host answers no message: TPDU, NII or framing", "Compare acquirer.nac.tpdu, nii, acquirer.length and length_counts with what the acquirer gave; if they are right, call the acquirer."},
		{"wrong_terminal_id", Host, Fault, "the host does not know this terminal's id", "Compare terminal.id and merchant_id of the profile with what the acquirer gave."},
		{"link_down", Host, Fault, "the terminal's own link is not up, though the host answers", "Wait for its next try, or start posd again where the configuration was changed."},
		{"host_refuses", Host, Fault, "the host refuses the echo test", "Call the acquirer, and name the response code."},
	}
}

func queueFaults() []Row {
	return []Row{
		{"queue_parked", Queue, Warning, "the bank has refused something for good", "Look at pos queue, ask the bank why, and send it again or write it off."},
		{"queue_old", Queue, Warning, "something has waited for the bank for long", "Put the link right, then pos queue send."},
	}
}
