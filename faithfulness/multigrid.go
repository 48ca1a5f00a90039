package faithfulness

// hierarchy is a system with ever coarser images of itself, down to one cell. Each is half as wide and half as high:
// A_coarse = Pᵀ A P (Galerkin), where P interpolates linearly between every second column and every second row. So the
// coarse systems are symmetric and positive semi-definite as the fine one is, and known pixels, which have no links, need no
// rule of their own.
func hierarchy(finest *grid) []*grid {
	grids := []*grid{finest}
	for g := finest; g.height > 1 || g.width > 1; {
		g = g.halveColumns().halveRows()
		g.invert()
		grids = append(grids, g)
	}
	return grids
}

// links are those of one cell to the one before it, to itself and to the one after it.
type links struct{ before, self, after float64 }

// merge is Pᵀ A P along one line. The coarse cell takes the fine cell in the middle and half of the ones before and after
// it; behind the last coarse cell there is no other to share with, so it takes all of the one after it (share 1).
func merge(before, middle, after links, share float64) links {
	// What the coarse cell's three fine cells have to do with the five around, from two before to two after.
	before2 := before.before / 2
	before1 := before.self/2 + middle.before
	self := before.after/2 + middle.self + share*after.before
	after1 := middle.after + share*after.self
	after2 := share * after.after
	return links{
		before: before2 + before1/2,
		self:   before1/2 + self + share*after1,
		after:  (1-share)*after1 + after2,
	}
}

// shareOf is the part that coarse cell i of n takes of the fine cell after its own.
func shareOf(i, n int) float64 {
	if i == n {
		return 1
	}
	return 0.5
}

// halveColumns returns the system with every second column.
func (g *grid) halveColumns() *grid {
	half := newGrid(g.height, (g.width+1)/2)
	for y := 1; y <= half.height; y++ {
		for x := 1; x <= half.width; x++ {
			at, to, share := y*g.stride+2*x-1, y*half.stride+x, shareOf(x, half.width)
			own0, below0 := g.across(at - 1)
			own1, below1 := g.across(at)
			own2, below2 := g.across(at + 1)
			own, below := merge(own0, own1, own2, share), merge(below0, below1, below2, share)
			half.centre[to], half.east[to] = own.self, own.after
			half.southWest[to], half.south[to], half.southEast[to] = below.before, below.self, below.after
		}
	}
	return half
}

// halveRows returns the system with every second row.
func (g *grid) halveRows() *grid {
	half := newGrid((g.height+1)/2, g.width)
	for y := 1; y <= half.height; y++ {
		for x := 1; x <= half.width; x++ {
			at, to, share := (2*y-1)*g.stride+x, y*half.stride+x, shareOf(y, half.height)
			own0, right0 := g.down(at - g.stride)
			own1, right1 := g.down(at)
			own2, right2 := g.down(at + g.stride)
			own, right := merge(own0, own1, own2, share), merge(right0, right1, right2, share)
			half.centre[to], half.south[to] = own.self, own.after
			half.southWest[to-half.stride+1], half.east[to], half.southEast[to] = right.before, right.self, right.after
		}
	}
	return half
}

// across are the links of a cell to three cells of its own row, and to three of the row below.
func (g *grid) across(i int) (own, below links) {
	return links{g.east[i-1], g.centre[i], g.east[i]}, links{g.southWest[i], g.south[i], g.southEast[i]}
}

// down are the links of a cell to three cells of its own column, and to three of the column right of it.
func (g *grid) down(i int) (own, right links) {
	above := i - g.stride
	if above < 0 { // the border has none
		return links{}, links{}
	}
	return links{g.south[above], g.centre[i], g.south[i]}, links{g.southWest[above+1], g.east[i], g.southEast[i]}
}

// cycle is one V-cycle: it sets the u of the first grid to about A⁻¹ b. It is a symmetric positive definite matrix times
// b, as a preconditioner of conjugate gradients has to be.
func cycle(grids []*grid) {
	g := grids[0]
	g.descend()
	if len(grids) > 1 {
		g.restrict(grids[1])
		cycle(grids[1:])
		g.interpolate(grids[1])
	}
	g.ascend()
}

// restrict sets the coarse right side to Pᵀ times the residual.
func (g *grid) restrict(coarse *grid) {
	for y := 1; y <= coarse.height; y++ {
		to, down := coarse.row(coarse.b, y), shareOf(y, coarse.height)
		above, here, below := g.row(g.residual, 2*y-2), g.row(g.residual, 2*y-1), g.row(g.residual, 2*y)
		for x := 1; x <= coarse.width; x++ {
			at, right := 2*x-1, shareOf(x, coarse.width)
			to[x] = above[at-1]/4 + above[at]/2 + right*above[at+1]/2 +
				here[at-1]/2 + here[at] + right*here[at+1] +
				down*(below[at-1]/2+below[at]+right*below[at+1])
		}
	}
}

// interpolate adds P times the coarse solution to u. Cells with nothing to solve get some of it too: nothing links to them,
// and ascend sets them to 0 again.
func (g *grid) interpolate(coarse *grid) {
	for y := 1; y <= g.height; y++ {
		u := g.row(g.u, y)
		above, below := coarse.row(coarse.u, (y+1)/2), coarse.row(coarse.u, min(y/2+1, coarse.height))
		for x := 1; x <= g.width; x++ {
			left, right := (x+1)/2, min(x/2+1, coarse.width)
			u[x] += (above[left] + above[right] + below[left] + below[right]) / 4
		}
	}
}
