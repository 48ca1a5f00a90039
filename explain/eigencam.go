package explain

import "github.com/explaind/explaind"

// eigenCAM is Eigen-CAM, the activations projected on their own principal direction. No class enters, and no gradient:
//
//	O = A as [Z, C] = U Σ Vᵀ,  L = O v_1
//
// v_1 is the right singular vector of the largest singular value. Its sign is free: the map is turned so that its value
// of the largest magnitude is positive. The columns of O are not centred, as in the paper.
//
// Source: Muhammad and Yeasin, Eigen-CAM: Class Activation Map using Principal Components, IJCNN 2020.
func eigenCAM(e *explaind.Evidence, _ *explaind.MethodOptions) (*explaind.Heatmap, []explaind.Flag, error) {
	if err := check(e, 0); err != nil {
		return nil, nil, err
	}
	return newMatrix(e.Activations).principal(), nil, nil
}

// eigenGradCAM is Eigen-CAM of the activations times their gradients, so that the class enters:
//
//	O = (g ⊙ A) as [Z, C], each column less its mean,  L = O v_1, g = ∂S^c/∂A
//
// with the sign of eigenCAM. It has no paper: the library pytorch-grad-cam defines it, with centred columns.
func eigenGradCAM(e *explaind.Evidence, _ *explaind.MethodOptions) (*explaind.Heatmap, []explaind.Flag, error) {
	if err := check(e, explaind.NeedsGradients); err != nil {
		return nil, nil, err
	}
	return component(e.Activations, func(i int) float64 { return float64(e.Gradients.Data[i]) }), nil, nil
}
