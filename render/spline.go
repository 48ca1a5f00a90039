package render

import "math"

// pole is the one of the cubic B-spline's prefilter. (Unser, Splines: a perfect fit for signal and image processing,
// 1999, box 2)
var pole = math.Sqrt(3) - 2

// splineCoefficients turns the samples of a map into the coefficients of the cubic B-spline through them, in place:
// first along the columns, then along the rows.
func splineCoefficients(values []float64, height, width int) {
	column := make([]float64, height)
	for x := range width {
		for y := range column {
			column[y] = values[y*width+x]
		}
		prefilter(column)
		for y, v := range column {
			values[y*width+x] = v
		}
	}
	for y := range height {
		prefilter(values[y*width : (y+1)*width])
	}
}

// prefilter solves c[i-1] + 4·c[i] + c[i+1] = 6·s[i] along one line whose neighbours outside are mirrored at its ends,
// by one recursion forwards and one backwards. Its start is the exact sum over the mirrored line.
func prefilter(c []float64) {
	n := len(c)
	if n == 1 {
		return
	}
	for i := range c {
		c[i] *= (1 - pole) * (1 - 1/pole)
	}
	// The mirrored line has the period 2n−2.
	turn := math.Pow(pole, float64(n-1))
	sum, power := c[0]+turn*c[n-1], pole
	for i := 1; i < n-1; i++ {
		sum += power * (c[i] + turn*c[n-1-i])
		power *= pole
	}
	c[0] = sum / (1 - turn*turn)
	for i := 1; i < n; i++ {
		c[i] += pole * c[i-1]
	}
	c[n-1] = pole / (pole*pole - 1) * (pole*c[n-2] + c[n-1])
	for i := n - 2; i >= 0; i-- {
		c[i] = pole * (c[i+1] - c[i])
	}
}

// splineTap puts the first and last position on the first and last coefficient. A result of one sample is the first.
func splineTap(offset, length float64, n int) tap {
	var place float64
	if length > 1 {
		place = min(offset*(float64(n-1)/(length-1)), float64(n-1))
	}
	floor := math.Floor(place)
	t := place - floor
	out := tap{weight: [4]float64{
		(1 - t) * (1 - t) * (1 - t) / 6,
		(4 - 6*t*t + 3*t*t*t) / 6,
		(1 + 3*t + 3*t*t - 3*t*t*t) / 6,
		t * t * t / 6,
	}}
	for k := range out.index {
		out.index[k] = mirrored(int(floor)-1+k, n)
	}
	return out
}

// mirrored reflects an index, at most two outside, at the first and the last of n.
func mirrored(i, n int) int {
	if n == 1 {
		return 0
	}
	if i < 0 {
		i = -i
	}
	if i >= n {
		i = 2*(n-1) - i
	}
	return max(i, -i) // n == 2 reflects twice
}
