package main

// slope is the straight line's through the points (0, y0), (1, y1), … by least squares.
func slope(y []float64) float64 {
	n := float64(len(y))
	var sumX, sumY, sumXY, sumXX float64
	for i, v := range y {
		x := float64(i)
		sumX, sumY, sumXY, sumXX = sumX+x, sumY+v, sumXY+x*v, sumXX+x*x
	}
	return (n*sumXY - sumX*sumY) / (n*sumXX - sumX*sumX)
}
