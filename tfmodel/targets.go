package tfmodel

import (
	"encoding/binary"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel/graphdef"
)

// targets says per row which score is differentiated.
type targets struct {
	class         []int32 // -1 for the row's most probable class
	versus        []int32 // -1 for none
	ofProbability bool
}

// best is the most probable class of each of n rows.
func best(n int) *targets {
	t := &targets{class: make([]int32, n), versus: make([]int32, n)}
	for i := range n {
		t.class[i], t.versus[i] = -1, -1
	}
	return t
}

func (t *targets) slice(from, to int) *targets {
	if t == nil {
		return nil
	}
	return &targets{t.class[from:to], t.versus[from:to], t.ofProbability}
}

func (t *targets) gather(index []int) *targets {
	if t == nil {
		return nil
	}
	out := &targets{ofProbability: t.ofProbability}
	for _, i := range index {
		out.class = append(out.class, t.class[i])
		out.versus = append(out.versus, t.versus[i])
	}
	return out
}

// feed adds the placeholders of the score to the feeds.
func (t *targets) feed(in feeds, score graphdef.Score) error {
	if t == nil {
		return nil
	}
	n := len(t.class)
	of := make([]byte, n)
	if t.ofProbability {
		for i := range of {
			of[i] = 1
		}
	}
	for _, f := range []struct {
		ref   graphdef.Ref
		dtype tf.DataType
		data  []byte
	}{{score.Class, tf.Int32, int32Bytes(t.class)}, {score.Versus, tf.Int32, int32Bytes(t.versus)}, {score.OfProbability, tf.Bool, of}} {
		fed, err := newTensor([]int{n}, f.dtype, f.data)
		if err != nil {
			return err
		}
		in[f.ref] = fed
	}
	return nil
}

func int32Bytes(values []int32) []byte {
	out := make([]byte, 0, 4*len(values))
	for _, v := range values {
		out = binary.LittleEndian.AppendUint32(out, uint32(v))
	}
	return out
}

// resolve finds the class index of a target from the row's logits, as the graph does for its most probable class: of
// probabilities next to 1, several may be the same number. order keeps the row's classes by rank.
func resolve(t explaind.Target, logits []float32, order *[]int) int {
	if t.Rank == 0 {
		return t.Class
	}
	if *order == nil {
		*order = explaind.TopK(logits, len(logits))
	}
	return (*order)[t.Rank-1]
}
