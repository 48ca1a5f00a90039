package explaind

// MethodOptions are the settings of the methods. Each zero is the default; methods that do not know a setting ignore it,
// but EigenSmooth.
type MethodOptions struct {
	// Seed of the methods that draw random numbers. The same seed gives the same map.
	Seed int64
	// Fusion makes one map of those of all layers.
	Fusion Fusion
	// AugSmooth averages the maps of six variants of the image: as it is and mirrored, each as bright as it is, 0.9 and
	// 1.1 times as bright.
	AugSmooth bool
	// EigenSmooth takes the first principal component of the weighted activations instead of their sum over the channels.
	EigenSmooth         bool
	PlusPlusForm        PlusPlusForm
	Noise               NoiseOptions
	IntegratedGradients IntegratedGradientsOptions
	ScoreCAM            ScoreCAMOptions
	Occlusion           OcclusionOptions
	RISE                RISEOptions
}

// Fusion is how the maps of several layers become one.
type Fusion int

// The fusions. Each map is divided by its maximum and grown to the common size before.
const (
	FusionNone    Fusion = iota
	FusionMean           // the mean of the layers
	FusionMax            // the largest of the layers
	FusionProduct        // the product of the layers, negative values taken as 0: what all of them agree on
)

// PlusPlusForm is how Grad-CAM++ computes α.
type PlusPlusForm int

// The forms.
const (
	PlusPlusExponential PlusPlusForm = iota // Y = exp(S), the paper's equation 19
	PlusPlusSoftmax                         // Y = P, the paper's equations 22 to 24
	PlusPlusAuthorsCode                     // equation 19, then α divided by its sum over the positions with g > 0
)

// NoiseOptions say how SmoothGrad and Smooth Grad-CAM++ disturb the image.
type NoiseOptions struct {
	Samples   int     // 50 if 0
	Level     float32 // standard deviation over the range max x − min x of the input; 0.15 if 0
	Statistic NoiseStatistic
}

// NoiseStatistic is what SmoothGrad takes of the samples' gradients.
type NoiseStatistic int

// The statistics.
const (
	NoiseMean     NoiseStatistic = iota // SmoothGrad
	NoiseVariance                       // VarGrad
	NoiseSquare                         // SquareGrad
)

// IntegratedGradientsOptions say where the path begins, and how finely it is sampled.
type IntegratedGradientsOptions struct {
	// Steps of the trapezoid rule. 50 if 0, doubled up to three times until the map adds up to the change of the score within
	// 1 %.
	Steps    int
	Baseline Baseline
}

// ScoreCAMOptions say which of the published forms is computed, and on how many channels.
type ScoreCAMOptions struct {
	Form        ScoreCAMForm
	MaxChannels int // those with the largest standard deviation; 0 for all
}

// ScoreCAMForm is how Score-CAM weighs the channels.
type ScoreCAMForm int

// The forms.
const (
	ScoreCAMPaper        ScoreCAMForm = iota // softmax over the channels' scores, Algorithm 1
	ScoreCAMOfficialCode                     // the probability of the class
)

// OcclusionOptions say what is covered.
type OcclusionOptions struct {
	Patch    int // side of the square in pixels of the input; a seventh of the shorter side if 0
	Stride   int // half a patch if 0
	Baseline Baseline
}

// RISEOptions say what the masks are like.
type RISEOptions struct {
	Masks int     // 4000 if 0
	Grid  int     // cells per side; 7 if 0
	Keep  float32 // probability that a cell is seen; 0.5 if 0
}

// Baseline is an image that shows nothing.
type Baseline int

// The baselines.
const (
	BaselineZero  Baseline = iota // 0 in the model's own units
	BaselineBlack                 // black pixels, preprocessed
	BaselineMean                  // the mean of the image, per channel
	BaselineBlur                  // the image, blurred
)
