package faithfulness

import "math"

const (
	// tolerance is how small the residual has to become, as a part of the right side. In the middle of a large hole the
	// error may be a thousand times larger, which is far below the noise that ROAD adds.
	tolerance = 1e-8
	// mostRounds would end what does not converge. Ten are usual, whatever the holes look like.
	mostRounds = 30
)

// solve returns the u with A u = b of the first grid, which keeps what is left of b. It runs conjugate gradients with a
// V-cycle as preconditioner, from 0: so b = 0 gives 0 even where A has no inverse. A b that is not finite ends it at once.
//
// Source: Hestenes and Stiefel, Methods of Conjugate Gradients for Solving Linear Systems, 1952; preconditioned by
// multigrid as in Tatebe, The Multigrid Preconditioned Conjugate Gradient Method, 1993.
func solve(grids []*grid) []float64 {
	finest := grids[0]
	residual := finest.b
	u, direction, image := make([]float64, len(residual)), make([]float64, len(residual)), make([]float64, len(residual))
	enough := tolerance * norm(residual)
	before := math.Inf(1) // so that the first direction is the preconditioned residual itself
	for round := 0; round < mostRounds && norm(residual) > enough; round++ {
		cycle(grids)
		now := dot(residual, finest.u)
		old := now / before
		for i, z := range finest.u {
			direction[i] = z + old*direction[i]
		}
		finest.multiply(image, direction)
		step := now / dot(direction, image)
		for i, d := range direction {
			u[i] += step * d
			residual[i] -= step * image[i]
		}
		before = now
	}
	return u
}

func dot(a, b []float64) float64 {
	var sum float64
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

func norm(a []float64) float64 { return math.Sqrt(dot(a, a)) }
