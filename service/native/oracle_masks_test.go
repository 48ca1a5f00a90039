package native_test

import (
	"math"
	"slices"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// scoreWeights are those of Score-CAM.
func (s *sight) scoreWeights(w why, o *pb.MethodOptions) (weights [3]float64) {
	height, width := s.input.size()
	var variance [3]float64
	s.features.each(func(_, _, k int, a float64) float64 { variance[k] += math.Pow(a-s.sums[k]/s.z, 2); return 0 })
	kept := slices.DeleteFunc([]int{0, 1, 2}, func(k int) bool { return variance[k] < 1e-12 })
	if most := int(o.GetScoreCam().GetMaxChannels()); most > 0 && most < len(kept) {
		slices.SortStableFunc(kept, func(a, b int) int {
			if variance[a] > variance[b] {
				return -1
			}
			return 1
		})
		kept = kept[:most]
	}
	official := o.GetScoreCam().GetForm() == pb.ScoreCamForm_SCORE_CAM_FORM_OFFICIAL_CODE
	total := 0.0
	for _, k := range kept {
		channel := newHeat(s.features.size()).each(func(y, x int, _ float64) float64 { return s.features[y][x][k] })
		seen := s.again(s.input.times(channel.bilinear(height, width).stretched()))
		if official {
			weights[k] = seen.score(why{true, w.class, w.versus})
			continue
		}
		weights[k] = math.Exp(seen.score(w))
		total += weights[k]
	}
	for k := range weights {
		if !official && total > 0 {
			weights[k] /= total
		}
	}
	return weights
}

// ablationWeights are those of Ablation-CAM. Behind a layer the model sees its means only.
func (s *sight) ablationWeights(w why) (weights [3]float64) {
	whole := s.score(w)
	divisor := math.Abs(whole)
	if divisor == 0 {
		divisor = 1
	}
	for k := range weights {
		sums := s.sums
		sums[k] = 0
		without := *s
		without.logits, without.probs = behind(sums, s.z, len(s.logits))
		weights[k] = (whole - without.score(w)) / divisor
	}
	return weights
}

// occluded asks at each place of the patch, and at each pixel which places cover it.
func (s *sight) occluded(w why, o *pb.MethodOptions) heat {
	height, width := s.input.size()
	patch := int(or(o.GetOcclusion().GetPatch(), int32(max(1, math.Round(float64(min(height, width))/7)))))
	stride := int(or(o.GetOcclusion().GetStride(), int32(max(1, patch/2))))
	from := s.baseline(o.GetOcclusion().GetBaseline())
	places := func(size int) (list []int) {
		side := min(patch, size)
		for at := 0; at+side < size; at += stride {
			list = append(list, at)
		}
		return append(list, size-side)
	}
	sums, counts := newHeat(height, width), newHeat(height, width)
	for _, top := range places(height) {
		for _, left := range places(width) {
			covers := func(y, x int) bool { return y >= top && y < top+patch && x >= left && x < left+patch }
			covered := s.again(s.input.each(func(y, x, k int, v float64) float64 {
				if covers(y, x) {
					return from[y][x][k]
				}
				return v
			}))
			drop := s.score(w) - covered.score(w)
			for y := range sums {
				for x := range sums[y] {
					if covers(y, x) {
						sums[y][x] += drop
						counts[y][x]++
					}
				}
			}
		}
	}
	return sums.each(func(y, x int, v float64) float64 { return v / counts[y][x] })
}

// risen makes each mask whole before it is cut out.
func (s *sight) risen(w why, o *pb.MethodOptions) heat {
	height, width := s.input.size()
	masks, cells, keep := int(or(o.GetRise().GetMasks(), 4000)), int(or(o.GetRise().GetGrid(), 7)), float64(or(o.GetRise().GetKeep(), 0.5))
	down, across := (height+cells-1)/cells, (width+cells-1)/cells
	out := newHeat(height, width)
	for i := range masks {
		next := dice(o, i)
		small := newHeat(cells, cells).each(func(int, int, float64) float64 {
			if next() < keep {
				return 1
			}
			return 0
		})
		top, left := int(next()*float64(down)), int(next()*float64(across))
		large := small.bilinear((cells+1)*down, (cells+1)*across)
		mask := newHeat(height, width).each(func(y, x int, _ float64) float64 { return large[top+y][left+x] })
		p := s.again(s.input.times(mask)).score(why{true, w.class, w.versus})
		out = out.each(func(y, x int, v float64) float64 { return v + p*mask[y][x]/(float64(masks)*keep) })
	}
	return out
}
