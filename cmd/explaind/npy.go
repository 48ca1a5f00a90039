package main

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// npy is an array [height, width] as numpy.load reads it: format version 1.0, float32, row-major. The values are
// little-endian already, as in the protocol.
func npy(height, width int32, values []byte) []byte {
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", height, width)
	// The data begins at a multiple of 64: 10 bytes stand before the header and a line feed ends it.
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
	out := []byte("\x93NUMPY\x01\x00")
	out = binary.LittleEndian.AppendUint16(out, uint16(len(header)))
	out = append(out, header...)
	return append(out, values...)
}
