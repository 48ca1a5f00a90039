package imaging

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
)

// tiffWith is a TIFF structure of one entry.
func tiffWith(order binary.AppendByteOrder, tag, kind uint16, count uint32, value uint16) []byte {
	b := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 1)
	b = order.AppendUint16(b, tag)
	b = order.AppendUint16(b, kind)
	b = order.AppendUint32(b, count)
	b = order.AppendUint16(b, value)
	return append(b, 0, 0)
}

func TestOrientation(t *testing.T) {
	little, big := binary.AppendByteOrder(binary.LittleEndian), binary.AppendByteOrder(binary.BigEndian)
	good := tiffWith(little, 0x0112, 3, 1, 6)
	farAway := bytes.Clone(good)
	binary.LittleEndian.PutUint32(farAway[4:], 0xffffffff)
	otherFirst := slices.Concat(good[:8], []byte{2, 0}, tiffWith(little, 0x010f, 2, 4, 9)[10:], good[10:])
	for name, c := range map[string]struct {
		tiff []byte
		want int
	}{
		"little endian":             {good, 6},
		"big endian":                {tiffWith(big, 0x0112, 3, 1, 5), 5},
		"second entry":              {otherFirst, 6},
		"none":                      {nil, 1},
		"another tag":               {tiffWith(little, 0x0110, 3, 1, 6), 1},
		"another type":              {tiffWith(little, 0x0112, 7, 1, 6), 1},
		"two values":                {tiffWith(little, 0x0112, 3, 2, 6), 1},
		"0":                         {tiffWith(little, 0x0112, 3, 1, 0), 1},
		"9":                         {tiffWith(big, 0x0112, 3, 1, 9), 1},
		"cut in the entry":          {good[:len(good)-1], 1},
		"cut in the header":         {good[:7], 1},
		"directory beyond the end":  {farAway, 1},
		"directory ends at the end": {good[:8], 1},
		"not TIFF":                  {append([]byte("Exif"), good...), 1},
	} {
		if got := orientation(c.tiff); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// The goldens show each orientation on a small picture; these laws hold for one of several tiles too.
func TestUprightLaws(t *testing.T) {
	p := pattern(45, 70)
	inverse := map[int]int{1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
	for o, back := range inverse {
		turned := p.upright(o)
		if err := turned.check(); err != nil {
			t.Fatal(err)
		}
		if sides := turned.Width == 45 && turned.Height == 70; sides != (o >= 5) {
			t.Errorf("orientation %d: %d×%d", o, turned.Width, turned.Height)
		}
		if o != 1 && bytes.Equal(turned.Pix, p.Pix) {
			t.Errorf("orientation %d changes nothing", o)
		}
		if again := turned.upright(back); !bytes.Equal(again.Pix, p.Pix) {
			t.Errorf("orientation %d is not undone by %d", o, back)
		}
	}
	if !bytes.Equal(p.upright(6).upright(6).Pix, p.upright(3).Pix) {
		t.Error("two quarter turns are not a half turn")
	}
	if !bytes.Equal(p.upright(2).upright(4).Pix, p.upright(3).Pix) {
		t.Error("two mirrors are not a half turn")
	}
}
