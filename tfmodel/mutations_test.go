package tfmodel_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sort"
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	corepb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel"
)

// TestMutations damages graphs at random places, in ways that still are protocol buffers. Whatever TensorFlow makes of
// them, Open has to return: a model, or an error of the kind that says so.
func TestMutations(t *testing.T) {
	for _, name := range []string{"module", "tf1_training", "keras2"} {
		for seed := range uint64(50) {
			dir := copyModel(t, name)
			var what string
			edit(func(m *corepb.MetaGraphDef) { what = mutate(m, rand.New(rand.NewPCG(seed, 1))) })(t, dir)
			m, err := tfmodel.Open(context.Background(), dir)
			if err == nil {
				m.Close()
				continue
			}
			if e := new(explaind.Error); !errors.As(err, &e) || e.Code != explaind.FailedPrecondition {
				t.Errorf("%s, seed %d: %s: %v", name, seed, what, err)
			}
		}
	}
}

// mutate changes one node and tells how.
func mutate(m *corepb.MetaGraphDef, r *rand.Rand) string {
	var nodes []*nodepb.NodeDef
	for _, n := range m.GraphDef.Node {
		if len(m.GraphDef.Library.GetFunction()) == 0 || r.IntN(4) == 0 {
			nodes = append(nodes, n)
		}
	}
	for _, f := range m.GraphDef.Library.GetFunction() {
		nodes = append(nodes, f.NodeDef...)
	}
	n := nodes[r.IntN(len(nodes))]
	what := fmt.Sprintf("%s %s", n.Op, n.Name)
	keys := make([]string, 0, len(n.Attr))
	for key := range n.Attr {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	switch kind := r.IntN(7); {
	case kind == 0 && len(n.Input) > 0:
		i := r.IntN(len(n.Input))
		what += fmt.Sprintf(" loses input %d", i)
		n.Input = append(n.Input[:i:i], n.Input[i+1:]...)
	case kind == 1 && len(n.Input) > 0:
		i := r.IntN(len(n.Input))
		other := nodes[r.IntN(len(nodes))]
		n.Input[i] = other.Name
		if len(other.Input) > 0 && r.IntN(2) == 0 {
			n.Input[i] = other.Input[0]
		}
		what += fmt.Sprintf(" reads %s", n.Input[i])
	case kind == 2:
		n.Op = nodes[r.IntN(len(nodes))].Op
		what += " becomes " + n.Op
	case len(keys) > 0:
		key := keys[r.IntN(len(keys))]
		if kind == 3 {
			delete(n.Attr, key)
			return what + " loses " + key
		}
		mutateAttr(n.Attr[key], r)
		what += fmt.Sprintf(" has %s = %v", key, n.Attr[key])
	}
	return what
}

var oddSizes = []int64{-1 << 62, -2, -1, 0, 1, 2, 3, 7, 1 << 20, 1 << 31, 1 << 40, 1<<63 - 1}

func mutateAttr(v *attrpb.AttrValue, r *rand.Rand) {
	odd := func() int64 { return oddSizes[r.IntN(len(oddSizes))] }
	mutateShape := func(s *shapepb.TensorShapeProto) {
		switch {
		case r.IntN(4) == 0:
			s.UnknownRank = !s.UnknownRank
		case len(s.Dim) == 0 || r.IntN(4) == 0:
			s.Dim = append(s.Dim, &shapepb.TensorShapeProto_Dim{Size: odd()})
		case r.IntN(4) == 0:
			s.Dim = s.Dim[1:]
		default:
			s.Dim[r.IntN(len(s.Dim))].Size = odd()
		}
	}
	switch x := v.Value.(type) {
	case *attrpb.AttrValue_I:
		x.I = odd()
	case *attrpb.AttrValue_B:
		x.B = !x.B
	case *attrpb.AttrValue_F:
		x.F = float32(odd())
	case *attrpb.AttrValue_S:
		x.S = append(x.S, "?"...)
	case *attrpb.AttrValue_Type:
		x.Type = typespb.DataType(r.IntN(30))
	case *attrpb.AttrValue_Shape:
		mutateShape(x.Shape)
	case *attrpb.AttrValue_List:
		switch l := x.List; {
		case len(l.I) > 0 && r.IntN(3) == 0:
			l.I = l.I[1:]
		case len(l.I) > 0:
			l.I[r.IntN(len(l.I))] = odd()
		case len(l.Type) > 0:
			l.Type = l.Type[1:]
		default:
			l.I = append(l.I, odd())
		}
	case *attrpb.AttrValue_Tensor:
		switch t := x.Tensor; r.IntN(4) {
		case 0:
			t.TensorContent = t.TensorContent[:len(t.TensorContent)/2]
		case 1:
			t.Dtype = typespb.DataType(r.IntN(30))
		case 2:
			t.IntVal = []int32{int32(odd())}
			t.TensorContent = nil
		default:
			if t.TensorShape == nil {
				t.TensorShape = shape()
			}
			mutateShape(t.TensorShape)
		}
	}
}
