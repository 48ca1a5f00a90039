// Package bare runs models without a server around them: the plain session of a SavedModel, which is what TensorFlow Serving
// runs, and explaind's own. Servers are measured against them.
package bare

import (
	"bytes"
	"encoding/binary"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tfgo"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel/graphdef"
	"github.com/explaind/explaind/tfmodel/savedmodel"
)

// Session is a SavedModel as TensorFlow Serving runs it: loaded whole, variables and all, with default options.
type Session struct {
	model         *tfgo.Model
	input, output tf.Output
}

// OpenSession loads a SavedModel. tfgo panics where it fails.
func OpenSession(dir string) (*Session, error) {
	graph, tags, err := savedmodel.Read(dir)
	if err != nil {
		return nil, err
	}
	_, signature, err := savedmodel.Signature(graph, "")
	if err != nil {
		return nil, err
	}
	s := &Session{model: tfgo.LoadModel(dir, tags, nil)}
	for _, info := range signature.Inputs {
		s.input = s.find(info.GetName())
	}
	for _, info := range signature.Outputs {
		s.output = s.find(info.GetName())
	}
	return s, nil
}

func (s *Session) find(name string) tf.Output {
	ref := graphdef.ParseRef(name)
	return s.model.Op(ref.Node, ref.Index)
}

// Predict includes what any server has to do: copying the images in and the classes out.
func (s *Session) Predict(images *explaind.Tensor) error {
	data := make([]byte, 0, 4*len(images.Data))
	data, err := binary.Append(data, binary.LittleEndian, images.Data)
	if err != nil {
		return err
	}
	shape := make([]int64, len(images.Shape))
	for i, d := range images.Shape {
		shape[i] = int64(d)
	}
	fed, err := tf.ReadTensor(tf.Float, shape, bytes.NewReader(data))
	if err != nil {
		return err
	}
	out := s.model.Exec([]tf.Output{s.output}, map[tf.Output]*tf.Tensor{s.input: fed})
	var classes bytes.Buffer
	_, err = out[0].WriteContentsTo(&classes)
	return err
}
