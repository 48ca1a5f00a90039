package bare

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/explain"
	"github.com/explaind/explaind/render"
)

// GradCAM is what an Explain request with the default config costs: the run, and a map of the input's size per image.
func GradCAM(m explaind.Model, images *explaind.Tensor) error {
	method, err := explain.Lookup(explaind.DefaultMethod)
	if err != nil {
		return err
	}
	targets := make([][]explaind.Target, images.Rows())
	for i := range targets {
		targets[i] = []explaind.Target{{Rank: 1, Versus: -1}}
	}
	result, err := m.Explain(context.Background(), &explaind.ExplainRequest{
		Images: images, Layers: []string{m.Spec().DefaultLayer}, Targets: targets, Needs: method.Needs,
	})
	if err != nil {
		return err
	}
	for i := range result.Evidence {
		heatmap, _, err := method.Func(&result.Evidence[i], &explaind.MethodOptions{})
		if err != nil {
			return err
		}
		render.Upsample(heatmap, images.Shape[1], images.Shape[2], render.Bilinear).Normalize()
	}
	return nil
}

// RandomImages are n images of the size that the model takes, 224×224 if it takes any, with values 0…255.
func RandomImages(in explaind.Input, n int) *explaind.Tensor {
	images := explaind.NewTensor(n, Side(in.Height), Side(in.Width), in.Channels)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range images.Data {
		images.Data[i] = float32(math.Round(255 * r.Float64()))
	}
	return images
}

// Side is 224 for a size that the model leaves open.
func Side(d int) int {
	if d == 0 {
		return 224
	}
	return d
}
