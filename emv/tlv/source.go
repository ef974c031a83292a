package tlv

import "embed"

//go:embed *.go
var source embed.FS

// SourceFiles are this package's own Go files as they were built, for the kernel's checksum (emv/contact.Checksum).
func SourceFiles() embed.FS { return source }
