package faithfulness

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/explaind/explaind"
)

// Weights by hand: 1/6 for direct and 1/12 for diagonal neighbours, of those inside the picture.
func TestOneHole(t *testing.T) {
	picture := []float32{
		1, 2, 3,
		4, 5, 6,
		7, 8, 100,
	}
	for hole, want := range map[int]float64{
		4: (2.+4+6+8)/6 + (1.+3+7+100)/12,              // 8 neighbours
		1: ((1.+3+5)/6 + (4.+6)/12) / (3./6 + 2./12),   // 5 at a border
		0: ((2.+4)/6 + 5./12) / (2./6 + 1./12),         // 3 in a corner
		5: ((3.+5+100)/6 + (2.+8)/12) / (3./6 + 2./12), // 5 at a border
		8: ((6.+8)/6 + 5./12) / (2./6 + 1./12),         // its own value must not count
	} {
		out := slices.Clone(picture)
		impute(out, []int{3, 3, 1}, []int{hole})
		if math.Abs(float64(out[hole])-want) > 1e-5 {
			t.Errorf("pixel %d becomes %v, want %v", hole, out[hole], want)
		}
		out[hole] = picture[hole]
		if !slices.Equal(out, picture) {
			t.Errorf("pixel %d was removed, others changed: %v", hole, out)
		}
	}
}

// In one row a hole is a straight line between its ends, and at the border the last known value goes on.
func TestHolesOfOneRow(t *testing.T) {
	for _, shape := range [][]int{{1, 8, 1}, {8, 1, 1}} {
		picture := []float32{-9, 3, 99, 99, 99, 5, 99, -99}
		impute(picture, shape, []int{0, 2, 3, 4, 6, 7})
		if worst := difference(picture, []float64{3, 3, 3.5, 4, 4.5, 5, 5, 5}); worst > 1e-6 {
			t.Errorf("%v: got %v", shape, picture)
		}
	}
}

func TestConstantPictureStaysAsItIs(t *testing.T) {
	picture := make([]float32, 20*30*2)
	for i := range picture {
		picture[i] = float32(1 + i%2*254) // each channel its own
	}
	want := slices.Clone(picture)
	removed := rank(smooth(20, 30, 3)).order[:480]
	for _, i := range removed {
		picture[2*i], picture[2*i+1] = float32(i), -7
	}
	impute(picture, []int{20, 30, 2}, removed)
	if !slices.Equal(picture, want) {
		t.Error("a constant picture imputes to another one")
	}
}

// Nothing is known: no division by zero, no endless search, and the mean.
func TestNothingIsKnown(t *testing.T) {
	for _, shape := range [][]int{{1, 1, 2}, {1, 4, 2}, {5, 1, 2}, {64, 65, 2}} {
		picture := make([]float32, explaind.Elements(shape))
		removed := make([]int, shape[0]*shape[1])
		for i := range removed {
			removed[i] = i
			picture[2*i], picture[2*i+1] = float32(i), -3
		}
		impute(picture, shape, removed)
		middle := float32(len(removed)-1) / 2
		for i := range removed {
			if picture[2*i] != middle || picture[2*i+1] != -3 {
				t.Errorf("%v: pixel %d is %v, want [%v -3]", shape, i, picture[2*i:2*i+2], middle)
			}
		}
	}
}

// Every plane solves the equations of pixels that are not at a border, so that a plane with holes must come back.
func TestPlaneComesBack(t *testing.T) {
	const height, width = 224, 200
	plane := make([]float64, height*width)
	holed := make([]float32, height*width)
	var removed []int
	for i := range plane {
		y, x := i/width, i%width
		plane[i] = 0.25*float64(y) - 0.5*float64(x)
		holed[i] = float32(plane[i])
		disc := math.Hypot(float64(y-112), float64(x-100)) < 98
		if disc && (y != 80 || x != 90) {
			removed = append(removed, i)
			holed[i] = 1e6
		}
	}
	if len(removed) < 30000 {
		t.Fatalf("the hole has %d pixels only", len(removed))
	}
	impute(holed, []int{height, width, 1}, removed)
	if worst := difference(holed, plane); worst > 2e-5 { // of values up to 100, in float32
		t.Errorf("differs by %.2g", worst)
	}
}

// The equation itself, written out plainly, at every removed pixel of pictures that are too large for the goldens.
func TestEveryRemovedPixelIsTheMeanOfItsNeighbours(t *testing.T) {
	for _, shape := range [][]int{{224, 224, 1}, {1, 9000, 1}, {3, 4000, 1}, {4000, 2, 1}, {97, 61, 3}} {
		for _, cells := range []int{1, 7, 500} { // one slope, blobs, grain
			for _, percent := range []int{20, 80} {
				x := photo(shape)
				order := rank(smooth(shape[0], shape[1], cells)).order
				removed := order[:fraction(len(order), percent, 100)]
				out := slices.Clone(x.Data)
				impute(out, shape, removed)
				if worst := worstResidual(out, shape, removed); !(worst < 3e-6) {
					t.Errorf("%v, %d cells, %d %%: a pixel is %.2g off its neighbours' mean", shape, cells, percent, worst)
				}
				for _, i := range order[len(removed):] {
					if out[i*shape[2]] != x.Data[i*shape[2]] {
						t.Fatalf("%v: known pixel %d changed", shape, i)
					}
				}
			}
		}
	}
}

func worstResidual(picture []float32, shape, removed []int) (worst float64) {
	height, width, channels := shape[0], shape[1], shape[2]
	for _, i := range removed {
		for c := range channels {
			var sum, total float64
			for y := max(i/width-1, 0); y <= min(i/width+1, height-1); y++ {
				for x := max(i%width-1, 0); x <= min(i%width+1, width-1); x++ {
					weight := 1. / 12
					switch {
					case y == i/width && x == i%width:
						continue
					case y == i/width || x == i%width:
						weight = 1. / 6
					}
					sum += weight * float64(picture[(y*width+x)*channels+c])
					total += weight
				}
			}
			worst = max(worst, math.Abs(sum/total-float64(picture[i*channels+c])))
		}
	}
	return worst
}

// A picture that is not finite must end too.
func TestImputingWhatIsNotFiniteEnds(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		picture := photo([]int{20, 20, 1}).Data
		picture[7] = float32(bad)
		impute(picture, []int{20, 20, 1}, []int{8, 9, 200})
		if v := float64(picture[8]); !math.IsNaN(v) && !math.IsInf(v, 0) {
			t.Errorf("%v is hidden as %v", bad, v)
		}
	}
}

// What preconditioned conjugate gradients stand on: M is symmetric and positive definite, M r·s = r·M s and M r·r > 0.
func TestCycleIsSymmetric(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {1, 9}, {7, 2}, {16, 16}, {33, 20}} {
		r := rand.New(rand.NewPCG(1, uint64(size[1])))
		unknown := make([]bool, size[0]*size[1])
		for i := range unknown {
			unknown[i] = r.Float64() < 0.8
		}
		unknown[len(unknown)/2] = len(unknown) == 1
		grids := hierarchy(system(size[0], size[1], unknown))
		precondition := func(b []float64) []float64 {
			copy(grids[0].b, b)
			cycle(grids)
			return slices.Clone(grids[0].u)
		}
		vector := func() []float64 {
			v := make([]float64, len(grids[0].b))
			for i, is := range unknown {
				if is {
					v[grids[0].place(i)] = r.NormFloat64()
				}
			}
			return v
		}
		for range 5 {
			a, b := vector(), vector()
			left, right := dot(precondition(a), b), dot(a, precondition(b))
			if math.Abs(left-right) > 1e-11*norm(a)*norm(b) {
				t.Errorf("%v: Ma·b = %v, a·Mb = %v", size, left, right)
			}
			if len(unknown) > 1 && dot(precondition(a), a) <= 0 {
				t.Errorf("%v: not positive", size)
			}
		}
	}
}

// Whatever the holes look like, the residual must be gone before the rounds are used up. (No run of this search took more
// than ten.)
func TestEveryHoleIsSolved(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 77))
		height, width := 1+r.IntN(150), 1+r.IntN(150)
		switch seed % 4 {
		case 1:
			height, width = 1+r.IntN(4), 10*width
		case 2:
			height, width = 10*height, 1+r.IntN(4)
		}
		a, b, p, relevance := 1+r.IntN(9), 1+r.IntN(9), r.Float64(), smooth(height, width, 1+r.IntN(30)).Values
		holes := []func(y, x int) bool{
			func(int, int) bool { return r.Float64() < p },                                         // grain
			func(int, int) bool { return r.Float64() < 1-p*p/100 },                                 // a few known pixels
			func(y, x int) bool { return y%a != 0 || x%b != 0 },                                    // a lattice of known pixels
			func(y, _ int) bool { return y%a != 0 },                                                // stripes
			func(y, x int) bool { return float64(relevance[y*width+x]) > p-0.5 },                   // blobs
			func(y, x int) bool { return float64(relevance[y*width+x]) > p-0.5 && r.IntN(99) > 0 }, // blobs with grain
		}
		kind := r.IntN(len(holes))
		unknown := make([]bool, height*width)
		var removed []int
		for i := range unknown {
			if holes[kind](i/width, i%width) {
				unknown[i] = true
				removed = append(removed, i)
			}
		}
		grids := hierarchy(system(height, width, unknown))
		setRightSide(grids[0], removed, unknown, func(int) float64 { return r.NormFloat64() })
		before := norm(grids[0].b)
		solve(grids)
		if after := norm(grids[0].b); !(after <= tolerance*before) {
			t.Errorf("seed %d: %d×%d, holes %d: %.2g of the residual is left", seed, height, width, kind, after/before)
		}
	}
}

// 224×224×3, as most networks have it.
func BenchmarkImpute(b *testing.B) {
	shape := []int{224, 224, 3}
	x := photo(shape)
	for _, cells := range []int{1, 7, 500} {
		order := rank(smooth(224, 224, cells)).order
		for _, percent := range []int{20, 80} {
			b.Run(fmt.Sprintf("%dcells/%dpercent", cells, percent), func(b *testing.B) {
				for b.Loop() {
					impute(slices.Clone(x.Data), shape, order[:fraction(len(order), percent, 100)])
				}
			})
		}
	}
}

// photo is a made-up picture [H, W, C]: waves with some grain, a deviation of about 1.
func photo(shape []int) *explaind.Tensor {
	r := rand.New(rand.NewPCG(3, 3))
	x := explaind.NewTensor(shape...)
	for i := range x.Data {
		pixel := i / shape[2]
		y, across := float64(pixel/shape[1]), float64(pixel%shape[1])
		x.Data[i] = float32(math.Sin(y/9+float64(i%shape[2])) + math.Cos(across/17) + 0.3*r.NormFloat64())
	}
	return x
}

// smooth is a made-up map, as a layer of cells×cells positions gives it.
func smooth(height, width, cells int) *explaind.Heatmap {
	r := rand.New(rand.NewPCG(uint64(cells), 1))
	corners := make([]float64, (cells+1)*(cells+1))
	for i := range corners {
		corners[i] = r.NormFloat64()
	}
	h := explaind.NewHeatmap(height, width)
	for i := range h.Values {
		y, x := float64(i/width*cells)/float64(height), float64(i%width*cells)/float64(width)
		at, dy, dx := int(y)*(cells+1)+int(x), y-math.Floor(y), x-math.Floor(x)
		above := (1-dx)*corners[at] + dx*corners[at+1]
		below := (1-dx)*corners[at+cells+1] + dx*corners[at+cells+2]
		h.Values[i] = float32((1-dy)*above + dy*below)
	}
	return h
}
