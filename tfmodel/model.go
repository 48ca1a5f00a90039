package tfmodel

import (
	"context"
	"fmt"
	"sync"
	"time"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel/graphdef"
)

// Model is a SavedModel that runs. It implements explaind.Model.
type Model struct {
	program *program
	engine  *engine

	stored    stored
	gradients gradientSet
	predict   []graphdef.Ref // what Predict fetches
	kernels   sync.Map       // graphdef.Ref → *explaind.Tensor: kernels that methods asked for
}

// stored says how the compiled model lies on disk.
type stored struct {
	bytes int64
	found bool // before it was opened
}

var _ explaind.Model = (*Model)(nil)

// Spec describes the model.
func (m *Model) Spec() *explaind.Spec { return &m.program.Spec }

// Close gives the model's memory back. No other method may run or be called again.
func (m *Model) Close() error {
	err := m.engine.close()
	giveBackMemory()
	return err
}

// Predict runs the forward pass, see explaind.Model. It fetches the default layer's activations too, because each set of
// fetches that is optimised keeps a copy of the weights, and explanations without gradients need that set anyway.
func (m *Model) Predict(ctx context.Context, images *explaind.Tensor) (*explaind.Prediction, error) {
	if err := m.checkImages(images); err != nil {
		return nil, err
	}
	results, err := m.forwardFirst(ctx, 2, m.predict, images, nil)
	if err != nil {
		return nil, err
	}
	return &explaind.Prediction{Logits: results[0], Probabilities: results[1]}, nil
}

// PredictOutputs is Predict with the signature's outputs as the model gives them.
func (m *Model) PredictOutputs(ctx context.Context, images *explaind.Tensor) (*explaind.Prediction, error) {
	if err := m.checkImages(images); err != nil {
		return nil, err
	}
	fetches := []graphdef.Ref{m.program.Score.Logits, m.program.Score.Probabilities}
	for _, out := range m.program.Outputs {
		fetches = append(fetches, out.Tensor)
	}
	results, err := m.forward(ctx, fetches, images, nil)
	if err != nil {
		return nil, err
	}
	p := &explaind.Prediction{Logits: results[0], Probabilities: results[1]}
	for i, out := range m.program.Outputs {
		p.Outputs = append(p.Outputs, explaind.NamedTensor{Name: out.Name, Tensor: results[2+i]})
	}
	return p, nil
}

// forward runs the graph from the images, in as many runs as a fixed batch size or the images' size wants, and stacks the
// results. extra holds further feeds of one row per image.
func (m *Model) forward(ctx context.Context, fetches []graphdef.Ref, images *explaind.Tensor, extra *targets) ([]*explaind.Tensor, error) {
	return m.forwardFirst(ctx, len(fetches), fetches, images, extra)
}

// forwardFirst is forward that returns the first of the fetches only.
func (m *Model) forwardFirst(ctx context.Context, first int, fetches []graphdef.Ref, images *explaind.Tensor, extra *targets) ([]*explaind.Tensor, error) {
	step := m.program.Spec.Input.Batch
	if step == 0 {
		numbers := forwardNumbers
		if m.gradients.among(fetches) {
			numbers = backwardNumbers
		}
		step = min(images.Rows(), rowsOf(numbers, images))
	}
	var parts [][]*explaind.Tensor
	for from := 0; from < images.Rows(); from += step {
		to := min(from+step, images.Rows())
		results, err := m.forwardOnce(ctx, first, fetches, images.Slice(from, to), max(m.program.Spec.Input.Batch, to-from), extra.slice(from, to))
		if err != nil {
			return nil, err
		}
		parts = append(parts, results)
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return concatenate(parts), nil
}

// forwardOnce runs up to rows images; a fixed batch size is filled up with copies of the last image.
func (m *Model) forwardOnce(ctx context.Context, first int, fetches []graphdef.Ref, images *explaind.Tensor, rows int, extra *targets) ([]*explaind.Tensor, error) {
	n := images.Rows()
	if n < rows {
		index := make([]int, rows)
		for i := range index {
			index[i] = min(i, n-1)
		}
		images, extra = images.Gather(index), extra.gather(index)
	}
	image, err := toTensor(images, m.inputType())
	if err != nil {
		return nil, internal(err)
	}
	in := feeds{m.program.Input: image}
	defer in.free()
	if err := extra.feed(in, m.program.Score); err != nil {
		return nil, internal(err)
	}
	results, err := m.fetchFirst(ctx, first, fetches, in)
	if err != nil {
		return nil, m.blame(images, err)
	}
	if n == rows {
		return results, nil
	}
	for i := range results {
		results[i] = results[i].Slice(0, n)
	}
	return results, nil
}

// blame makes an error of the image of one that the model failed with, where images may have any size: it is too small for the
// model's layers.
func (m *Model) blame(images *explaind.Tensor, err error) error {
	in := m.program.Spec.Input
	if e := explaind.AsError(err); e.Reason == "RUN_FAILED" && (in.Height == 0 || in.Width == 0) {
		return &explaind.Error{Code: explaind.InvalidArgument, Reason: "INPUT_SIZE_REFUSED", Err: e.Err,
			Message: fmt.Sprintf("the model takes images of any size, but failed on %d×%d pixels; send a larger or less elongated one", images.Shape[2], images.Shape[1])}
	}
	return err
}

// fetch runs the graph unless ctx has ended; TensorFlow cannot be stopped once it runs.
func (m *Model) fetch(ctx context.Context, fetches []graphdef.Ref, in feeds) ([]*explaind.Tensor, error) {
	return m.fetchFirst(ctx, len(fetches), fetches, in)
}

// fetchFirst is fetch that returns the first of the fetches only: the others complete a set that was warmed.
func (m *Model) fetchFirst(ctx context.Context, first int, fetches []graphdef.Ref, in feeds) ([]*explaind.Tensor, error) {
	if err := explaind.FromContext(ctx); err != nil {
		return nil, err
	}
	phase := explaind.PhaseForward
	if m.gradients.among(fetches) {
		phase = explaind.PhaseBackward
	}
	began := time.Now()
	raw, err := m.engine.run(fetches, in)
	explaind.Observe(ctx, phase, began, in.rows())
	if err != nil {
		return nil, internal(err)
	}
	defer free(raw...)
	results := make([]*explaind.Tensor, first)
	for i, t := range raw[:first] {
		if results[i], err = fromTensor(t); err != nil {
			return nil, internal(fmt.Errorf("%v: %w", fetches[i], err))
		}
	}
	return results, nil
}

func (m *Model) inputType() tf.DataType {
	if m.program.Spec.Input.DType == "uint8" {
		return tf.Uint8
	}
	return tf.Float
}

// checkImages wants [N, H, W, C] as the spec says: TensorFlow aborts the process on some mismatches.
func (m *Model) checkImages(images *explaind.Tensor) error {
	in := m.program.Spec.Input
	s := images.Shape
	fits := len(s) == 4 && s[0] > 0 && s[1] > 0 && s[2] > 0 &&
		(in.Height == 0 || s[1] == in.Height) && (in.Width == 0 || s[2] == in.Width) && s[3] == in.Channels
	if !fits || len(images.Data) != explaind.Elements(s) {
		want := fmt.Sprintf("[N, %s, %s, %d]", size(in.Height), size(in.Width), in.Channels)
		return explaind.Errorf(explaind.InvalidArgument, "SHAPE_MISMATCH", "the model takes images %s, got %v with %d values", want, s, len(images.Data))
	}
	return nil
}

func size(d int) string {
	if d == 0 {
		return "any"
	}
	return fmt.Sprint(d)
}

// concatenate puts the rows of several runs below each other.
func concatenate(parts [][]*explaind.Tensor) []*explaind.Tensor {
	out := make([]*explaind.Tensor, len(parts[0]))
	for i := range out {
		joined := &explaind.Tensor{Shape: append([]int(nil), parts[0][i].Shape...)}
		joined.Shape[0] = 0
		for _, p := range parts {
			joined.Shape[0] += p[i].Shape[0]
		}
		joined.Data = make([]float32, 0, explaind.Elements(joined.Shape))
		for _, p := range parts {
			joined.Data = append(joined.Data, p[i].Data...)
		}
		out[i] = joined
	}
	return out
}

func internal(err error) error {
	return &explaind.Error{Code: explaind.Internal, Reason: "RUN_FAILED", Message: "the model failed on this input; the server's log has the cause", Err: err}
}
