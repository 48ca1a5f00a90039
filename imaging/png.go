package imaging

import "encoding/binary"

// pngExif is the payload of the eXIf chunk, wherever it stands.
func pngExif(data []byte) []byte {
	const signature, overhead = 8, 12 // a chunk has a length, a kind and a checksum beside its payload
	for rest := data[signature:]; len(rest) >= overhead; {
		length := uint64(binary.BigEndian.Uint32(rest))
		if length > uint64(len(rest)-overhead) {
			return nil
		}
		if string(rest[4:8]) == "eXIf" {
			return rest[8 : 8+length]
		}
		rest = rest[overhead+length:]
	}
	return nil
}
