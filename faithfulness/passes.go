package faithfulness

import (
	"context"

	"github.com/explaind/explaind"
)

// pass writes one picture [H, W, C] for the model. out is zero when it is called.
type pass func(out []float32)

// run asks for the probability of each pass's picture [H, W, C]. A batch is made when it is its turn.
func run(ctx context.Context, ask Probe, shape []int, rows int, passes []pass) ([]float32, error) {
	rows = max(rows, 1)
	probabilities := make([]float32, 0, len(passes))
	for from := 0; from < len(passes); from += rows {
		batch := passes[from:min(from+rows, len(passes))]
		images, err := draw(ctx, shape, batch)
		if err != nil {
			return nil, err
		}
		answers, err := ask(ctx, images)
		if err != nil {
			return nil, err
		}
		if len(answers) != len(batch) {
			return nil, malformed("%d pictures got %d probabilities", len(batch), len(answers))
		}
		for _, p := range answers {
			if !explaind.Finite(p) {
				return nil, explaind.Errorf(explaind.FailedPrecondition, NonFiniteProbability,
					"the class's probability is %v for one of the changed pictures, so faithfulness cannot be measured; ask for the explanation without it", p)
			}
		}
		probabilities = append(probabilities, answers...)
	}
	return probabilities, nil
}

// draw makes one batch. Pictures of ROAD take a while, so the context is looked at before each.
func draw(ctx context.Context, shape []int, batch []pass) (*explaind.Tensor, error) {
	images := explaind.NewTensor(append([]int{len(batch)}, shape...)...)
	for i, write := range batch {
		if err := explaind.FromContext(ctx); err != nil {
			return nil, err
		}
		write(images.Row(i).Data)
	}
	return images, nil
}
