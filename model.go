package explaind

import "context"

// Model is one loaded model, ready to run. Every method may be called by many goroutines at once; Close may be called
// once, after the last of them returned.
//
// Errors are *Error: InvalidArgument for images or targets that do not fit the Spec, NotFound for a layer that does
// not exist, FailedPrecondition for one that cannot be explained, DeadlineExceeded or Canceled when ctx ended before
// the run began, Internal for failures of the runtime.
type Model interface {
	// Spec describes the model. It never changes.
	Spec() *Spec
	// Predict runs the forward pass on images [N, H, W, C], already in the model's own units.
	Predict(ctx context.Context, images *Tensor) (*Prediction, error)
	// Explain runs the forward pass and, where asked for, the backward pass.
	Explain(ctx context.Context, request *ExplainRequest) (*ExplainResult, error)
	// PredictFrom runs what lies behind a layer, with other activations [N, H, W, C] than the image's own: those of the
	// evidence, which was collected with NeedsCrossing.
	PredictFrom(ctx context.Context, from *Evidence, activations *Tensor) (*Prediction, error)
	Close() error
}

// Prediction is the answer to "what is in these pictures".
type Prediction struct {
	Logits        *Tensor // [N, classes], before softmax or sigmoid
	Probabilities *Tensor // [N, classes]
	Outputs       []NamedTensor
}

// NamedTensor is one output of the model's signature, as the model returned it.
type NamedTensor struct {
	Name   string
	Tensor *Tensor
}

// Target says which class of one image is to be explained, and against which.
type Target struct {
	Class  int // class index; only read if Rank is 0
	Rank   int // 1 is the most probable class, 2 the runner-up, …; 0 means that Class counts
	Versus int // explain "Class rather than this one"; -1 for none
}

// ExplainRequest asks for the evidence of every (row, layer, target).
type ExplainRequest struct {
	Images  *Tensor    // [N, H, W, C], in the model's own units
	Layers  []string   // full layer names, as in Spec.Layers; none if the input alone is explained
	Targets [][]Target // per row, at least one each
	Score   Score
	Needs   Needs
}

// ExplainResult is a prediction with its evidence.
type ExplainResult struct {
	Prediction *Prediction
	Evidence   []Evidence // ordered by row, then layer, then target; without layers, by row, then target
}

// Evidence is all that a method may look at: one row, one layer, one target.
type Evidence struct {
	Row         int
	Layer       string  // "" if the input alone is explained
	Class       int     // the class index the target resolved to
	Versus      int     // -1 for none
	Input       *Tensor // x [H, W, C], the image in the model's own units
	Activations *Tensor // A [H, W, C] of the layer; nil without one
	Gradients   *Tensor // ∂S/∂A [H, W, C]; nil unless NeedsGradients
	Logit       float32 // of Class
	Probability float32 // of Class
	// Score is S: the logit or the probability of Class, as asked for, minus that of Versus.
	Score float32
	// InputGradients is ∂S/∂x [H, W, C]; nil unless NeedsInputGradients.
	InputGradients *Tensor
	// GuidedGradients is ∂S/∂x by guided backpropagation [H, W, C]; nil unless NeedsGuidedGradients.
	GuidedGradients *Tensor
	// ClassWeights is w^c [C], the weights of the head's dense layer for Class (minus those for Versus); nil unless
	// NeedsClassWeights, which only Spec.Head.PooledLayer can fulfil.
	ClassWeights []float32
	// HeadKernel is the kernel [C, classes] of the head's dense layer, and Probabilities [classes] is what it ends in; nil
	// unless NeedsHead.
	HeadKernel    *Tensor
	Probabilities []float32
	// Kernel is the kernel [kh, kw, in, out] of the layer's own convolution; nil unless NeedsKernel.
	Kernel *Tensor
	// Crossing are the tensors, [1, …] each, that pass by the layer on their way to the classes; nil unless NeedsCrossing.
	// Only the model that made them knows their order.
	Crossing []*Tensor
}
