package faithfulness

// The weights of the neighbours that an imputed pixel is the mean of.
const (
	direct   = 1.0 / 6
	diagonal = 1.0 / 12
)

// neighbours are the eight pixels around one, with their weights.
var neighbours = [8]struct {
	down, right int
	weight      float64
}{
	{-1, -1, diagonal}, {-1, 0, direct}, {-1, 1, diagonal},
	{0, -1, direct}, {0, 1, direct},
	{1, -1, diagonal}, {1, 0, direct}, {1, 1, diagonal},
}

// impute replaces the removed pixels of a picture [H, W, C], in place and each channel by itself, such that each of them
// is the weighted mean of its neighbours inside the picture, removed ones included:
//
//	Σ_j w_ij (u_i − v_j) = 0 for every removed pixel i, where v_j is u_j if j is removed too, else the value of j
//
// In this form, not divided by Σ_j w_ij, the matrix of the system is symmetric, and positive definite as soon as one pixel
// is left, because each pixel is reached from every other. Where none is left there is nothing to impute from, and each
// channel becomes its own mean.
func impute(picture []float32, shape, removed []int) {
	height, width, channels := shape[0], shape[1], shape[2]
	unknown := make([]bool, height*width)
	for _, i := range removed {
		unknown[i] = true
	}
	grids := hierarchy(system(height, width, unknown))
	for channel := range channels {
		value := func(pixel int) float64 { return float64(picture[pixel*channels+channel]) }
		// The unknowns are differences from one value, which makes 0 a good start and the answer if there is no other.
		middle := mean(unknown, value)
		setRightSide(grids[0], removed, unknown, func(pixel int) float64 { return value(pixel) - middle })
		differences := solve(grids)
		for _, i := range removed {
			picture[i*channels+channel] = float32(middle + differences[grids[0].place(i)])
		}
	}
}

// system is the left side: what the unknown pixels have to do with each other.
func system(height, width int, unknown []bool) *grid {
	g := newGrid(height, width)
	for i, is := range unknown {
		if !is {
			continue
		}
		at := g.place(i)
		for _, n := range neighbours {
			j, ok := g.neighbour(i, n.down, n.right)
			if !ok {
				continue
			}
			g.centre[at] += n.weight
			if !unknown[j] {
				continue
			}
			switch {
			case n.down == 0 && n.right == 1:
				g.east[at] = -n.weight
			case n.down == 1 && n.right == -1:
				g.southWest[at] = -n.weight
			case n.down == 1 && n.right == 0:
				g.south[at] = -n.weight
			case n.down == 1 && n.right == 1:
				g.southEast[at] = -n.weight
			}
		}
	}
	g.invert()
	return g
}

// setRightSide sets the grid's right side to what the removed pixels get from known ones.
func setRightSide(g *grid, removed []int, unknown []bool, known func(pixel int) float64) {
	clear(g.b)
	for _, i := range removed {
		at := g.place(i)
		for _, n := range neighbours {
			if j, ok := g.neighbour(i, n.down, n.right); ok && !unknown[j] {
				g.b[at] += n.weight * known(j)
			}
		}
	}
}

// mean is that of the known pixels; of all if none is known.
func mean(unknown []bool, value func(pixel int) float64) float64 {
	var known, all, count float64
	for i, is := range unknown {
		v := value(i)
		all += v
		if !is {
			known += v
			count++
		}
	}
	if count == 0 {
		return all / float64(len(unknown))
	}
	return known / count
}
