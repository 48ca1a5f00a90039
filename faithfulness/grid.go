package faithfulness

// grid is a symmetric linear system over the cells of a rectangle, each of which has to do with the eight around it:
//
//	(A u)_i = centre_i u_i + Σ_j link_ij u_j
//
// Of the eight links a cell keeps the four that come after it in row-major order; those before it are kept by its
// neighbours. A border of one cell all round is always zero, so that no cell is special. Cells with nothing to solve have
// no links, and their u stays 0.
type grid struct {
	height, width                             int
	stride                                    int // from a cell to the one below
	centre, east, southWest, south, southEast []float64
	inverse                                   []float64 // 1/centre; 0 where there is nothing to solve

	// What a V-cycle works on: right side, solution, and residual b − A u.
	b, u, residual []float64
}

func newGrid(height, width int) *grid {
	g := &grid{height: height, width: width, stride: width + 2}
	for _, values := range []*[]float64{
		&g.centre, &g.east, &g.southWest, &g.south, &g.southEast, &g.inverse, &g.b, &g.u, &g.residual,
	} {
		*values = make([]float64, (height+2)*g.stride)
	}
	return g
}

// place is where a pixel of the picture, in row-major order, lies in the grid's slices.
func (g *grid) place(pixel int) int { return (pixel/g.width+1)*g.stride + pixel%g.width + 1 }

// neighbour is a pixel near another one, if the picture has it.
func (g *grid) neighbour(pixel, down, right int) (int, bool) {
	y, x := pixel/g.width+down, pixel%g.width+right
	return y*g.width + x, y >= 0 && y < g.height && x >= 0 && x < g.width
}

// invert fills in the inverse.
func (g *grid) invert() {
	for i, c := range g.centre {
		if c > 0 {
			g.inverse[i] = 1 / c
		}
	}
}

// row is one row of values with its border; row 0 is the border above.
func (g *grid) row(values []float64, y int) []float64 { return values[y*g.stride:][:g.stride] }

// multiply sets out = A u.
func (g *grid) multiply(out, u []float64) {
	for y := 1; y <= g.height; y++ {
		to, above, here, below := g.row(out, y), g.row(u, y-1), g.row(u, y), g.row(u, y+1)
		centre, east, southWest := g.row(g.centre, y), g.row(g.east, y), g.row(g.southWest, y)
		south, southEast := g.row(g.south, y), g.row(g.southEast, y)
		northEast, north, northWest := g.row(g.southWest, y-1), g.row(g.south, y-1), g.row(g.southEast, y-1)
		for x := 1; x < len(to)-1; x++ {
			to[x] = centre[x]*here[x] +
				east[x]*here[x+1] + southWest[x]*below[x-1] + south[x]*below[x] + southEast[x]*below[x+1] +
				east[x-1]*here[x-1] + northWest[x-1]*above[x-1] + north[x]*above[x] + northEast[x+1]*above[x+1]
		}
	}
}

// descend is a Gauss–Seidel sweep from u = 0, first cell first, and the residual that it leaves. Each cell takes no notice
// of those after it, which are still 0, so that these links are all that the residual is made of.
func (g *grid) descend() {
	for y := 1; y <= g.height; y++ {
		b, inverse, above, here := g.row(g.b, y), g.row(g.inverse, y), g.row(g.u, y-1), g.row(g.u, y)
		east, northEast, north, northWest := g.row(g.east, y), g.row(g.southWest, y-1), g.row(g.south, y-1), g.row(g.southEast, y-1)
		last := 0.0
		for x := 1; x < len(here)-1; x++ {
			rest := b[x] - northWest[x-1]*above[x-1] - north[x]*above[x] - northEast[x+1]*above[x+1]
			last = inverse[x] * (rest - east[x-1]*last)
			here[x] = last
		}
	}
	for y := 1; y <= g.height; y++ {
		to, here, below := g.row(g.residual, y), g.row(g.u, y), g.row(g.u, y+1)
		east, southWest, south, southEast := g.row(g.east, y), g.row(g.southWest, y), g.row(g.south, y), g.row(g.southEast, y)
		for x := 1; x < len(to)-1; x++ {
			to[x] = -(east[x]*here[x+1] + southWest[x]*below[x-1] + south[x]*below[x] + southEast[x]*below[x+1])
		}
	}
}

// ascend is a Gauss–Seidel sweep from the u that is there, last cell first: the mirror image of descend, which keeps the
// whole cycle symmetric.
func (g *grid) ascend() {
	for y := g.height; y >= 1; y-- {
		b, inverse := g.row(g.b, y), g.row(g.inverse, y)
		above, here, below := g.row(g.u, y-1), g.row(g.u, y), g.row(g.u, y+1)
		east, southWest, south, southEast := g.row(g.east, y), g.row(g.southWest, y), g.row(g.south, y), g.row(g.southEast, y)
		northEast, north, northWest := g.row(g.southWest, y-1), g.row(g.south, y-1), g.row(g.southEast, y-1)
		last := 0.0
		for x := len(here) - 2; x >= 1; x-- {
			rest := b[x] - southWest[x]*below[x-1] - south[x]*below[x] - southEast[x]*below[x+1] -
				east[x-1]*here[x-1] - northWest[x-1]*above[x-1] - north[x]*above[x] - northEast[x+1]*above[x+1]
			last = inverse[x] * (rest - east[x]*last)
			here[x] = last
		}
	}
}
