package faithfulness

import "github.com/explaind/explaind"

// masked is x times the map stretched to 0…1, in the model's own units: what the model sees is the relevant part alone.
func masked(x *explaind.Tensor, r ranking) pass {
	return func(out []float32) {
		channels := x.Shape[2]
		for i, m := range r.mask {
			for at := i * channels; at < (i+1)*channels; at++ {
				out[at] = float32(m * float64(x.Data[at]))
			}
		}
	}
}

// confidence compares the probability o of the masked picture with the probability y of the picture itself:
//
//	drop = max(0, y−o)/y,  increase = o > y,  gain = max(0, o−y)/(1−y)
//
// Averages over many pictures are the caller's. A quotient without a denominator is 0: nothing can drop below 0 or rise
// above 1.
//
// Source: drop and increase are those of Chattopadhay et al., Grad-CAM++: Generalized Gradient-based Visual Explanations
// for Deep Convolutional Networks, WACV 2018, section 4.1 (there in per cent, with the sum over pictures). Gain is that of
// Zhang et al., Opti-CAM: Optimizing saliency maps for interpretability, 2023.
func confidence(y, o float32) (drop float32, increase bool, gain float32) {
	if y > 0 {
		drop = max(0, y-o) / y
	}
	if y < 1 {
		gain = max(0, o-y) / (1 - y)
	}
	return drop, o > y, gain
}
