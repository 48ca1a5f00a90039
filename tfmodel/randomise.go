package tfmodel

import (
	"bytes"
	"fmt"
	"math/rand/v2"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel/graphdef"
)

// RandomWeights says which weights of a model are put in random order.
type RandomWeights int

// The choices.
const (
	RandomHead RandomWeights = iota + 1 // those of the layer that makes the logits
	RandomAll                           // all
)

func (r RandomWeights) String() string {
	if r == RandomHead {
		return "head"
	}
	return "all"
}

// randomisation puts weights in random order; nil leaves them.
type randomisation struct {
	seed  uint64
	which RandomWeights
}

// shuffle replaces the values of the variables that are meant. Each has random numbers of its own, so that it does not
// depend on which others are shuffled.
func (r *randomisation) shuffle(g *graphdef.Graph, p *program, variables []graphdef.Variable, values []*tf.Tensor) error {
	if r == nil {
		return nil
	}
	names := map[string]bool{}
	for _, v := range variables {
		names[v.Name] = true
	}
	if r.which == RandomHead {
		names = graphdef.LastWeights(g, p.Input, p.Score.ModelLogits, func(name string) bool { return names[name] })
	}
	shuffled := 0
	for i, v := range variables {
		if !names[v.Name] {
			continue
		}
		t, err := shuffledTensor(values[i], rand.New(rand.NewPCG(r.seed, uint64(i))))
		if err != nil {
			return fmt.Errorf("putting variable %q in random order: %w", v.Owner, err)
		}
		if t != values[i] {
			free(values[i])
			count(t)
			values[i] = t
			shuffled++
		}
	}
	if shuffled == 0 {
		return explaind.Errorf(explaind.FailedPrecondition, "NO_VARIABLES",
			"the weights that are to be put in random order (%s) are constants of the model's graph; export it with its variables", r.which)
	}
	return nil
}

// shuffledTensor is a tensor of the same values in another order. Tensors that are not of floating-point numbers are no
// weights, and come back themselves.
func shuffledTensor(t *tf.Tensor, random *rand.Rand) (*tf.Tensor, error) {
	size, ok := map[tf.DataType]int{tf.Half: 2, tf.Bfloat16: 2, tf.Float: 4, tf.Double: 8}[t.DataType()]
	if !ok {
		return t, nil
	}
	var values bytes.Buffer
	values.Grow(byteSize(t))
	if _, err := t.WriteContentsTo(&values); err != nil {
		return nil, err
	}
	data := values.Bytes()
	random.Shuffle(len(data)/size, func(i, j int) {
		a, b := data[i*size:(i+1)*size], data[j*size:(j+1)*size]
		for k := range a {
			a[k], b[k] = b[k], a[k]
		}
	})
	return tf.ReadTensor(t.DataType(), t.Shape(), bytes.NewReader(data))
}

// mark makes the model's description say what was done: it does not answer as the files do that the digest is of.
func (r *randomisation) mark(spec *explaind.Spec) {
	if r == nil {
		return
	}
	spec.Digest = fmt.Sprintf("%s-random-%s-%d", spec.Digest, r.which, r.seed)
	spec.Warnings = append(spec.Warnings, fmt.Sprintf("the model's weights (%s) were put in random order: its answers mean nothing", r.which))
}
