package gpu

import "fmt"

// An XID is a number by which NVIDIA's driver reports an error of a device; the
// table follows NVIDIA's description of them ("XID Errors", GPU Deployment and
// Management).

// ownXIDs are the faults of the program that uses the device: it loses its
// work, the device is as good as before.
var ownXIDs = map[uint64]string{
	13:  "a program made an illegal access or instruction",
	31:  "a program touched memory that is not its own",
	43:  "a program's work was stopped",
	45:  "a program's work was cleaned up after an error",
	68:  "a video decoder met an error in its input",
	109: "a program's work could not be switched out in time",
}

// deviceXIDs are faults of the device, its memory or its connection.
var deviceXIDs = map[uint64]string{
	48:  "memory error that could not be corrected",
	61:  "the internal microcontroller stopped",
	62:  "the internal microcontroller halted",
	63:  "a memory page was retired or a row remapped",
	64:  "a memory page could not be retired or a row not remapped",
	74:  "NVLink error",
	79:  "the device has fallen off the bus",
	92:  "many memory errors that were corrected",
	94:  "memory error that was contained in one program",
	95:  "memory error that was not contained",
	119: "the device's system processor does not answer",
	120: "the device's system processor failed",
	140: "memory error that was not recovered from",
}

// lasting are the faults that time does not mend: somebody has to look.
var lasting = map[uint64]bool{48: true, 64: true, 74: true, 79: true, 95: true, 140: true}

// xidText says what an XID is about.
func xidText(xid uint64) string {
	for _, table := range []map[uint64]string{ownXIDs, deviceXIDs} {
		if text, ok := table[xid]; ok {
			return fmt.Sprintf("XID %d: %s", xid, text)
		}
	}
	return fmt.Sprintf("XID %d", xid)
}
