package imaging

import "encoding/binary"

// orientation reads EXIF's orientation, 1…8, out of a TIFF structure; 1, which is upright, where there is none or it
// cannot be read: a picture is worth more than its metadata.
//
// It is a parser of this single tag because nothing else of EXIF is of use here: one loop over the first directory,
// instead of a library with makers' notes, thumbnails and offsets of strangers to follow.
func orientation(tiff []byte) int {
	const header, entry = 8, 12
	if len(tiff) < header {
		return 1
	}
	var order binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	offset := uint64(order.Uint32(tiff[4:]))
	if offset+2 > uint64(len(tiff)) {
		return 1
	}
	count := int(order.Uint16(tiff[offset:]))
	entries := tiff[offset+2:]
	for ; count > 0 && len(entries) >= entry; count, entries = count-1, entries[entry:] {
		const tag, short = 0x0112, 3
		if order.Uint16(entries) != tag {
			continue
		}
		// One SHORT lies in the first two bytes of the value field, in either byte order.
		value := int(order.Uint16(entries[8:]))
		if order.Uint16(entries[2:]) != short || order.Uint32(entries[4:]) != 1 || value < 1 || value > 8 {
			return 1
		}
		return value
	}
	return 1
}

// upright returns the picture turned and mirrored so that an orientation becomes 1; p itself if it is 1.
func (p *Picture) upright(orientation int) *Picture {
	if orientation == 1 {
		return p
	}
	w, h := p.Width, p.Height
	// Where the new picture's top left pixel was, and the steps between pixels that are now beside and below each other.
	var from, across, down int
	switch orientation {
	case 2: // mirrored left to right
		from, across, down = w-1, -1, w
	case 3: // half a turn
		from, across, down = w*h-1, -1, -w
	case 4: // mirrored top to bottom
		from, across, down = w*(h-1), 1, -w
	case 5: // mirrored at the main diagonal
		from, across, down = 0, w, 1
	case 6: // a quarter turn clockwise
		from, across, down = w*(h-1), -w, 1
	case 7: // mirrored at the other diagonal
		from, across, down = w*h-1, -w, -1
	case 8: // a quarter turn counter-clockwise
		from, across, down = w-1, w, -1
	}
	if orientation >= 5 {
		w, h = h, w
	}
	out := newPicture(w, h)
	// In tiles, because a column of a large picture read at once would miss the cache at each pixel.
	const tile = 32
	for top := 0; top < h; top += tile {
		for left := 0; left < w; left += tile {
			for y := top; y < min(top+tile, h); y++ {
				row := out.row(y)
				for x := left; x < min(left+tile, w); x++ {
					i := 3 * (from + x*across + y*down)
					row[3*x], row[3*x+1], row[3*x+2] = p.Pix[i], p.Pix[i+1], p.Pix[i+2]
				}
			}
		}
	}
	return out
}
