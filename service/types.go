package service

import (
	"time"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/explain"
	"github.com/explaind/explaind/faithfulness"
	"github.com/explaind/explaind/render"
)

// Selector names a model. The empty name is the only model there is, version 0 the latest; Label excludes Version.
type Selector struct {
	Model   string
	Version int64
	Label   string
}

// Image is one picture: a file's bytes or a tensor.
type Image struct {
	ID      string // the caller's own name, echoed
	Encoded []byte
	Tensor  *Tensor // nil when Encoded is the source
}

// DType is the type of a Tensor's elements.
type DType int

// The types.
const (
	Float32 DType = iota + 1
	UInt8
)

// Tensor is pixels or model input as it came: row-major, little-endian, nothing checked yet.
type Tensor struct {
	Shape []int64
	DType DType
	Data  []byte
}

// PredictRequest asks what is in a picture.
type PredictRequest struct {
	Selector
	Image  Image
	Config PredictConfig
}

// PredictConfig is what a prediction shall hold.
type PredictConfig struct {
	TopK       int // 0 means 5
	RawOutputs bool
}

// PredictAnswer says what is in a picture.
type PredictAnswer struct {
	ImageID     string
	Model       explaind.ModelRef
	Predictions []ClassScore // most probable first
	Outputs     []explaind.NamedTensor
	Timing      Timing
}

// ExplainRequest asks for a prediction and its explanations.
type ExplainRequest struct {
	Selector
	Image  Image
	Config ExplainConfig
}

// ExplainConfig says what to explain and how: every method on every layer for every target.
type ExplainConfig struct {
	Methods   []explaind.Method // empty means Grad-CAM
	Layers    []string          // empty means the default layer
	Targets   []Target          // empty means the most probable class
	Score     explaind.Score
	TopK      int // 0 means 5
	Options   explaind.MethodOptions
	Rendering Rendering
	// Faithfulness has each map measured.
	Faithfulness bool
}

// Target is a class to explain, by at most one of index, label and rank; none of them means rank 1.
type Target struct {
	Class  *int
	Label  *string
	Rank   *int
	Versus *int
}

// Resolution is the size of a heatmap.
type Resolution int

// The resolutions.
const (
	ResolutionInput    Resolution = iota // the model input's
	ResolutionLayer                      // the layer's own
	ResolutionOriginal                   // the picture's own
)

type (
	// Interpolation is package render's word, here for the doors, which do not know that package.
	Interpolation = render.Interpolation
	// Colormap is package render's word too.
	Colormap = render.Colormap
)

// The interpolations and colour maps.
const (
	Bilinear    = render.Bilinear
	CubicSpline = render.CubicSpline

	Jet     = render.Jet
	Viridis = render.Viridis
	Turbo   = render.Turbo
	Magma   = render.Magma
)

// Rendering says what comes back; if neither values nor a picture is asked for, values do.
type Rendering struct {
	Values        bool
	Resolution    Resolution
	Interpolation Interpolation
	HeatmapPNG    bool
	OverlayPNG    bool
	ComparisonPNG bool
	Colormap      Colormap
	Alpha         *float32 // weight of the heatmap in overlays, 0…1; nil means 0.5
}

// ExplainAnswer is a prediction with its explanations, ordered by layer, target and method; with a fusion, by target and
// method.
type ExplainAnswer struct {
	ImageID       string
	Model         explaind.ModelRef
	Predictions   []ClassScore
	Explanations  []Explanation
	ComparisonPNG []byte
	Timing        Timing
}

// Explanation is one heatmap with what it explains.
type Explanation struct {
	Method       explaind.Method
	Layer        string // as asked for, whether or not the method looks at it; those of a fusion with + between them
	Target       ClassScore
	Heatmap      *explaind.Heatmap // normalised
	WithValues   bool              // the values were asked for, not only their pictures
	RawMin       float32           // the range before normalising, at this resolution
	RawMax       float32
	HeatmapPNG   []byte
	OverlayPNG   []byte
	Flags        []explaind.Flag
	Faithfulness *faithfulness.Report  // nil unless it was asked for
	Completeness *explain.Completeness // nil but for Integrated Gradients
}

// Progress tells how many of a method's passes are done.
type Progress struct {
	Method      explaind.Method
	Done, Total int
	Measuring   bool // the passes are those that measure how faithful the method's map is
}

// ClassScore is one class with its scores for one image.
type ClassScore struct {
	Class       int
	Label       string // empty when the model has none
	Probability float32
	Logit       float32
}

// Timing is where the time of one request went.
type Timing struct {
	Queue, Decode, Run, Render, Total time.Duration
}

// Description is all there is to know about a model.
type Description struct {
	Ref      explaind.ModelRef
	Spec     *explaind.Spec
	Methods  [][]explaind.Method // per layer of the spec
	OfInput  []explaind.Method   // those that look at no layer
	Versions []explaind.VersionStatus
}
