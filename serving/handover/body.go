package handover

import "hash/crc32"

// Body knows a request's body again. Two bodies that differ are taken for the same
// one once in four thousand million times, if they have the same length.
type Body struct{ Sum, Size uint32 }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// BodyOf gives the Body of a request's body.
func BodyOf(b []byte) Body { return Body{crc32.Checksum(b, castagnoli), uint32(len(b))} }
