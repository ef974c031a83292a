// Package provision is the parameter package of a terminal: one signed file with everything that a till has to be told (who it
// is, its acquirer, its profile, the certification authorities' keys, key blocks), how the file is read and written, who may sign
// the next one, and whether a terminal takes it. It is pure: it opens no file, asks no clock, and holds no secret of a terminal.
//
// A package is text and bytes in this order, nothing before, between or behind:
//
//	tillway parameters 1
//	signer KEY          Ed25519 public key, base64
//	signature SIGNATURE Ed25519, base64, over all but this line
//	manifest JSON       one line, in the one way that encoding/json writes a Manifest
//	the parts' bytes, in the order of the manifest
//
// There is no compression, no path and no way to write the same package twice: a file that is not byte for byte what Encode
// would write is refused. Parts have names out of a table (partKinds), each with a bound.
//
// Sources: RFC 8032 (Ed25519); PCI Secure Software Standard, control objective 9, and PCI PTS POI, terminal software and
// parameter updates: authenticated, no downgrade.
package provision
