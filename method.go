package explaind

import (
	"slices"
	"strings"
)

// Method names a way to turn evidence into a heatmap. The names are those of the command line; the protocol spells
// them METHOD_GRAD_CAM and so on.
type Method string

// The methods. Formulas and references stand beside each implementation in package explain.
const (
	MethodCAM                    Method = "cam"
	MethodGradCAM                Method = "grad_cam"
	MethodGradCAMPlusPlus        Method = "grad_cam_plus_plus"
	MethodArticleCAM             Method = "article_cam"
	MethodArticleGradCAM         Method = "article_grad_cam"
	MethodArticleGradCAMPlusPlus Method = "article_grad_cam_plus_plus"
)

// DefaultMethod is what an explanation uses when nobody names a method.
const DefaultMethod = MethodGradCAM

// Title is the method's name as people write it: "Grad-CAM++".
func (m Method) Title() string {
	switch m {
	case MethodCAM:
		return "CAM"
	case MethodGradCAM:
		return "Grad-CAM"
	case MethodGradCAMPlusPlus:
		return "Grad-CAM++"
	case MethodArticleCAM:
		return "CAM (article)"
	case MethodArticleGradCAM:
		return "Grad-CAM (article)"
	case MethodArticleGradCAMPlusPlus:
		return "Grad-CAM++ (article)"
	default:
		return string(m)
	}
}

// ParseMethod reads a method's name as people type it: any case, with - or _, and ++ for plus_plus.
func ParseMethod(s string, known []Method) (Method, error) {
	name := strings.ToLower(strings.TrimSpace(s))
	name = strings.TrimPrefix(name, "method_")
	name = strings.ReplaceAll(name, "++", "_plus_plus")
	name = strings.ReplaceAll(name, "-", "_")
	if compact := strings.ReplaceAll(name, "_", ""); compact != "" {
		for _, m := range known {
			if strings.ReplaceAll(string(m), "_", "") == compact {
				return m, nil
			}
		}
	}
	names := make([]string, len(known))
	for i, m := range known {
		names[i] = string(m)
	}
	slices.Sort(names)
	return "", Errorf(InvalidArgument, "UNKNOWN_METHOD", "method %q is not known; choose among %s", s, strings.Join(names, ", "))
}

// Needs tells what a method has to know beside the activations.
type Needs uint8

// What a method may need.
const (
	NeedsGradients    Needs = 1 << iota // ∂S/∂A at the layer
	NeedsClassWeights                   // the weights of a head that is global average pooling + one dense layer
	NeedsKernel                         // the kernel of the layer's own convolution
	NeedsProbability                    // the method is defined on the softmax probability, whatever score is asked for
)

// Has tells whether all of other is in n.
func (n Needs) Has(other Needs) bool { return n&other == other }

// Score is the number whose change a gradient measures.
type Score int

// The scores.
const (
	ScoreLogit       Score = iota // the value before softmax or sigmoid
	ScoreProbability              // the value after it
)
