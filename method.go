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
	MethodHiResCAM               Method = "hires_cam"
	MethodXGradCAM               Method = "xgrad_cam"
	MethodLayerCAM               Method = "layer_cam"
	MethodEigenCAM               Method = "eigen_cam"
	MethodEigenGradCAM           Method = "eigen_grad_cam"
	MethodScoreCAM               Method = "score_cam"
	MethodAblationCAM            Method = "ablation_cam"
	MethodSaliency               Method = "saliency"
	MethodGradientXInput         Method = "gradient_x_input"
	MethodSmoothGrad             Method = "smooth_grad"
	MethodIntegratedGradients    Method = "integrated_gradients"
	MethodGuidedBackprop         Method = "guided_backprop"
	MethodGuidedGradCAM          Method = "guided_grad_cam"
	MethodGuidedGradCAMPlusPlus  Method = "guided_grad_cam_plus_plus"
	MethodSmoothGradCAMPlusPlus  Method = "smooth_grad_cam_plus_plus"
	MethodOcclusion              Method = "occlusion"
	MethodRISE                   Method = "rise"
	MethodArticleCAM             Method = "article_cam"
	MethodArticleGradCAM         Method = "article_grad_cam"
	MethodArticleGradCAMPlusPlus Method = "article_grad_cam_plus_plus"
)

// DefaultMethod is what an explanation uses when nobody names a method.
const DefaultMethod = MethodGradCAM

var titles = map[Method]string{
	MethodCAM:                    "CAM",
	MethodGradCAM:                "Grad-CAM",
	MethodGradCAMPlusPlus:        "Grad-CAM++",
	MethodHiResCAM:               "HiResCAM",
	MethodXGradCAM:               "XGrad-CAM",
	MethodLayerCAM:               "LayerCAM",
	MethodEigenCAM:               "Eigen-CAM",
	MethodEigenGradCAM:           "EigenGrad-CAM",
	MethodScoreCAM:               "Score-CAM",
	MethodAblationCAM:            "Ablation-CAM",
	MethodSaliency:               "Saliency",
	MethodGradientXInput:         "Gradient×Input",
	MethodSmoothGrad:             "SmoothGrad",
	MethodIntegratedGradients:    "Integrated Gradients",
	MethodGuidedBackprop:         "Guided Backpropagation",
	MethodGuidedGradCAM:          "Guided Grad-CAM",
	MethodGuidedGradCAMPlusPlus:  "Guided Grad-CAM++",
	MethodSmoothGradCAMPlusPlus:  "Smooth Grad-CAM++",
	MethodOcclusion:              "Occlusion",
	MethodRISE:                   "RISE",
	MethodArticleCAM:             "CAM (article)",
	MethodArticleGradCAM:         "Grad-CAM (article)",
	MethodArticleGradCAMPlusPlus: "Grad-CAM++ (article)",
}

// Title is the method's name as people write it: "Grad-CAM++".
func (m Method) Title() string {
	if title, known := titles[m]; known {
		return title
	}
	return string(m)
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
	return "", unknownMethod(s, names)
}

// unknownMethod names what is nearest to a method that does not exist, then all there are.
func unknownMethod(s string, names []string) error {
	near := nearest(s, names, 3)
	slices.Sort(names)
	e := Errorf(InvalidArgument, "UNKNOWN_METHOD", "method %q is not known; nearest: %s; choose among %s", s, strings.Join(near, ", "), strings.Join(names, ", "))
	e.Metadata = map[string]string{"nearest": strings.Join(near, ", ")}
	return e
}

// Needs tells what a method has to know beside the activations.
type Needs uint16

// What a method may need.
const (
	NeedsGradients       Needs = 1 << iota // ∂S/∂A at the layer
	NeedsClassWeights                      // the weights of a head that is global average pooling + one dense layer
	NeedsHead                              // all of that head, which must end in a softmax
	NeedsKernel                            // the kernel of the layer's own convolution
	NeedsProbability                       // the method is defined on the softmax probability, whatever score is asked for
	NeedsInputGradients                    // ∂S/∂x at the image
	NeedsGuidedGradients                   // the same by guided backpropagation
	NeedsCrossing                          // what Model.PredictFrom has to know
)

// Has tells whether all of other is in n.
func (n Needs) Has(other Needs) bool { return n&other == other }

// OfScore tells whether gradients are needed, of whatever kind: they are those of one score.
func (n Needs) OfScore() bool {
	return n&(NeedsGradients|NeedsInputGradients|NeedsGuidedGradients) != 0
}

// Score is the number whose change a gradient measures.
type Score int

// The scores.
const (
	ScoreLogit       Score = iota // the value before softmax or sigmoid
	ScoreProbability              // the value after it
)
