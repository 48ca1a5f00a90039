package render

import (
	"encoding/hex"
	"fmt"
	"image"

	"github.com/explaind/explaind"
)

// Colormap is how a value becomes a colour. A value that is none of those below means Jet.
type Colormap int

// The colour maps, with the 256 entries that matplotlib draws under the same names.
const (
	Jet Colormap = iota
	Viridis
	Turbo
	Magma
)

// colourTable holds red, green and blue of the 256 levels.
type colourTable [256][3]uint8

var colourTables = [...]colourTable{
	Jet: decodeTable(jetHex), Viridis: decodeTable(viridisHex), Turbo: decodeTable(turboHex), Magma: decodeTable(magmaHex),
}

func (c Colormap) table() *colourTable {
	if c < 0 || int(c) >= len(colourTables) {
		c = Jet
	}
	return &colourTables[c]
}

func decodeTable(digits string) (table colourTable) {
	bytes, err := hex.DecodeString(digits)
	if err != nil || len(bytes) != 3*len(table) {
		panic(fmt.Sprintf("render: a colour table has %d bytes (%v)", len(bytes), err)) // the table is part of the program
	}
	for i := range table {
		copy(table[i][:], bytes[3*i:])
	}
	return table
}

// level is the entry of a table that a value of 0…1 is drawn with: one 256th of the range each. Smaller values and NaN
// are drawn as 0, larger ones as 1.
func level(v float32) uint8 {
	switch {
	case !(v > 0):
		return 0
	case v >= 1:
		return 255
	default:
		return uint8(v * 256)
	}
}

// HeatmapImage colours a map, as Normalize leaves it: values of 0…1, smaller ones and NaN drawn as 0, larger ones as 1.
// The picture is opaque. A map without values, or without as many as its size says, has an empty picture, which PNG
// refuses.
func HeatmapImage(h *explaind.Heatmap, c Colormap) image.Image {
	if !complete(h) {
		return image.NewRGBA(image.Rectangle{})
	}
	table := c.table()
	out := image.NewRGBA(image.Rect(0, 0, h.Width, h.Height))
	for i, v := range h.Values {
		colour, to := &table[level(v)], out.Pix[4*i:4*i+4:4*i+4]
		to[0], to[1], to[2], to[3] = colour[0], colour[1], colour[2], 0xff
	}
	return out
}
