package render

import "math"

// axis is a scale with ticks at round numbers, 0 among them.
type axis struct {
	low, high, step float64
}

// mostSteps is how many steps an axis has at most: more numbers would not stand apart.
const mostSteps = 4

// newAxis covers 0 and all values, of which those that are not finite do not count; 0…1 if all of them are 0.
func newAxis(values []float64) axis {
	low, high := 0.0, 0.0
	for _, v := range values {
		if !math.IsInf(v, 0) { // a comparison with NaN is false
			low, high = min(low, finiteOr(v, low)), max(high, finiteOr(v, high))
		}
	}
	if low == high {
		high = 1
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/mostSteps)))
	for _, factor := range []float64{1, 2, 2.5, 5, 10} {
		a := axis{math.Floor(low/(step*factor)) * step * factor, math.Ceil(high/(step*factor)) * step * factor, step * factor}
		if a.steps() <= mostSteps {
			return a
		}
	}
	return axis{low, high, high - low} // numbers so large that they have no room between them
}

func finiteOr(v, otherwise float64) float64 {
	if math.IsNaN(v) {
		return otherwise
	}
	return v
}

func (a axis) steps() int { return int(math.Round((a.high - a.low) / a.step)) }

// tick is the number at tick i of 0…steps.
func (a axis) tick(i int) float64 {
	if v := a.low + float64(i)*a.step; math.Abs(v) > a.step/2 {
		return v
	}
	return 0 // not -0, and not what rounding has left of it
}

// digits is how many decimals the ticks need.
func (a axis) digits() int {
	for d := range 10 {
		if scaled := a.step * math.Pow(10, float64(d)); math.Abs(scaled-math.Round(scaled)) < 1e-6*scaled {
			return d
		}
	}
	return 10
}

// at is where a value lies, 0 at the axis' beginning and 1 at its end.
func (a axis) at(v float64) float64 { return (v - a.low) / (a.high - a.low) }
