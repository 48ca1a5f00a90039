package explaind

import (
	"fmt"
	"sort"
	"strings"
)

// Spec describes a loaded model: what it takes, what it answers and what can be explained.
type Spec struct {
	Digest        string // hex SHA-256 over the files of the SavedModel
	Signature     string
	Input         Input
	Outputs       []Output
	Head          Head
	Labels        []string // by class index; empty when the model has none
	Preprocessing Preprocessing
	Layers        []Layer // in the order of the forward pass
	DefaultLayer  string  // "" when no layer can be explained
	Warnings      []string
}

// Input is the image tensor that the model takes, in NHWC order.
type Input struct {
	Name     string
	Batch    int // the only batch size the model takes; 0 for any
	Height   int // 0 for any
	Width    int // 0 for any
	Channels int
	DType    string // "float32", "uint8", …: what the model itself takes; a Model converts from float32
	// Gradients is false when some operation between the input and the logits has no gradient; Reason names it.
	Gradients bool
	Reason    string
	// Guided tells that guided backpropagation is possible: there are gradients, and rectifiers on their way.
	Guided bool
}

// Output is one output of the signature.
type Output struct {
	Name  string
	DType string
	Shape []int // -1 for any
}

// Activation is the last function of the head.
type Activation string

// The activations of a head.
const (
	Softmax Activation = "softmax"
	Sigmoid Activation = "sigmoid"
	Linear  Activation = "linear" // the output is the logits; probabilities are their softmax
	// Identity is an output made of probabilities in a way that shows no logits, such as the mean of two softmaxes: logit
	// and probability are both that output.
	Identity Activation = "identity"
)

// Head is the part of the model between the last feature map and the output.
type Head struct {
	Output     string // name of the signature's output that holds the classes
	Activation Activation
	Classes    int
	// PooledLayer is the layer that goes through global average pooling and one dense layer to the logits, so that CAM
	// is exact there; "" for other heads.
	PooledLayer string
}

// Layer is one place in the model whose activations can be explained.
type Layer struct {
	Name     string   // the Keras layer's name where the node names show it: "block5_conv3"
	Aliases  []string // other names it answers to: full node names
	Op       string   // the operation that makes its output: "Relu"
	Height   int      // 0 when it depends on the input
	Width    int      // 0 when it depends on the input
	Stride   int      // pixels of the input per position, where the size depends on the input; 0 if unknown
	Channels int
	// Gradients is false when some operation between the layer and the logits has no gradient; Reason names it.
	Gradients bool
	Reason    string
	Kernel    bool // the layer is a convolution whose kernel is known
	Resumable bool // Model.PredictFrom works here
}

// Label is the label of a class, or "class 7" when the model has none.
func (s *Spec) Label(class int) string {
	if class >= 0 && class < len(s.Labels) {
		return s.Labels[class]
	}
	return fmt.Sprintf("class %d", class)
}

// ClassByLabel finds the class with a label, ignoring case. Two classes may share a label ("crane"): then the index has
// to be given.
func (s *Spec) ClassByLabel(label string) (int, error) {
	var found []int
	for i, l := range s.Labels {
		if strings.EqualFold(l, label) {
			found = append(found, i)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return 0, Errorf(InvalidArgument, "AMBIGUOUS_LABEL", "label %q is the name of classes %v; give the class index instead", label, found)
	case len(s.Labels) == 0:
		return 0, Errorf(FailedPrecondition, "NO_LABELS", "the model has no labels, so %q cannot be looked up; give the class index, or add a labels file to the model folder", label)
	default:
		return 0, NotFoundError("label", label, s.Labels)
	}
}

// FindLayer finds a layer by its name, by a full node name, or by a suffix of a name that only one layer has.
// The empty name is the default layer.
func (s *Spec) FindLayer(name string) (*Layer, error) {
	if name == "" {
		name = s.DefaultLayer
	}
	if name == "" {
		return nil, Errorf(FailedPrecondition, "NO_EXPLAINABLE_LAYER",
			"no layer of this model can be explained: there is no feature map [N, H, W, C] between the input and the classes; name no layer, and ask for methods that explain the input itself, as GetModel lists them")
	}
	for i := range s.Layers {
		if s.Layers[i].answersTo(name) {
			return &s.Layers[i], nil
		}
	}
	var found []*Layer
	for i := range s.Layers {
		if s.Layers[i].endsWith(name) {
			found = append(found, &s.Layers[i])
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	names := make([]string, len(s.Layers))
	for i, l := range s.Layers {
		names[i] = l.Name
	}
	if len(found) > 1 {
		return nil, Errorf(InvalidArgument, "AMBIGUOUS_LAYER", "layer %q fits %d layers, among them %q and %q; give the full name", name, len(found), found[0].Name, found[1].Name)
	}
	return nil, NotFoundError("layer", name, names)
}

func (l *Layer) answersTo(name string) bool {
	if l.Name == name {
		return true
	}
	for _, a := range l.Aliases {
		if a == name || a == name+":0" || a+":0" == name {
			return true
		}
	}
	return false
}

func (l *Layer) endsWith(suffix string) bool {
	if strings.HasSuffix(l.Name, "/"+suffix) {
		return true
	}
	for _, a := range l.Aliases {
		if strings.HasSuffix(a, "/"+suffix) {
			return true
		}
	}
	return false
}

// TopK returns the indices of the k largest scores, largest first; ties go to the smaller index.
func TopK(scores []float32, k int) []int {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return scores[order[a]] > scores[order[b]] })
	return order[:min(k, len(order))]
}
