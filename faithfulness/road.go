package faithfulness

import (
	"math"

	"github.com/explaind/explaind"
)

// shares are how many per cent of the pixels ROAD removes, one after the other.
var shares = [...]int{20, 40, 60, 80}

// noiseLevel is the deviation of the noise on imputed pixels, as a part of the picture's own deviation.
const noiseLevel = 0.01

// removals are the pictures of ROAD: for each share first x with the least relevant pixels removed (LeRF), then x with the
// most relevant ones removed (MoRF). A removed pixel is imputed from those around it and gets a little noise, which is the
// same for both pictures of a share. Neither zeros nor a blur are left behind, whose edges would tell the model by
// themselves where something was removed.
//
// Source: Rong et al., A Consistent and Efficient Evaluation Strategy for Attribution Methods, ICML 2022 (remove and debias,
// noisy linear imputation). Their noise has a deviation of 0.01 whatever the picture; here it follows the picture, whose
// units are the model's own.
func removals(x *explaind.Tensor, r ranking, seed uint64) []pass {
	sigma := noiseLevel * deviation(x.Data)
	pixels := len(r.order)
	var passes []pass
	for _, percent := range shares {
		n := fraction(pixels, percent, 100)
		for _, removed := range [][]int{r.order[pixels-n:], r.order[:n]} {
			passes = append(passes, func(out []float32) {
				copy(out, x.Data)
				impute(out, x.Shape, removed)
				noise := make([]float32, len(out))
				explaind.AddGaussian(noise, sigma, seed, uint64(percent))
				addNoise(out, x.Shape[2], removed, noise)
			})
		}
	}
	return passes
}

func addNoise(picture []float32, channels int, pixels []int, noise []float32) {
	for _, i := range pixels {
		for at := i * channels; at < (i+1)*channels; at++ {
			picture[at] += noise[at]
		}
	}
}

// advantage is 1/4 Σ_q (P(LeRF) − P(MoRF))/2 over the probabilities of removals.
func advantage(road []float32) float32 {
	var sum float64
	for q := 0; q < len(road); q += 2 {
		sum += float64(road[q]) - float64(road[q+1])
	}
	return float32(sum / float64(len(road)))
}

// deviation is the standard deviation of all values, with their number as the divisor.
func deviation(values []float32) float64 {
	var sum, squares float64
	for _, v := range values {
		sum += float64(v)
	}
	mean := sum / float64(len(values))
	for _, v := range values {
		squares += (float64(v) - mean) * (float64(v) - mean)
	}
	return math.Sqrt(squares / float64(len(values)))
}
