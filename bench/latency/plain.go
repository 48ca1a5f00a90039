package main

import (
	"bytes"
	"encoding/binary"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tfgo"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel/graphdef"
	"github.com/explaind/explaind/tfmodel/savedmodel"
)

// plain is a SavedModel as TensorFlow Serving runs it: loaded whole, variables and all, with default options.
type plain struct {
	model         *tfgo.Model
	input, output tf.Output
}

func openPlain(dir string) (*plain, error) {
	graph, tags, err := savedmodel.Read(dir)
	if err != nil {
		return nil, err
	}
	_, signature, err := savedmodel.Signature(graph, "")
	if err != nil {
		return nil, err
	}
	p := &plain{model: tfgo.LoadModel(dir, tags, nil)}
	for _, info := range signature.Inputs {
		p.input = p.find(info.GetName())
	}
	for _, info := range signature.Outputs {
		p.output = p.find(info.GetName())
	}
	return p, nil
}

func (p *plain) find(name string) tf.Output {
	ref := graphdef.ParseRef(name)
	return p.model.Op(ref.Node, ref.Index)
}

// predict includes what any server has to do: copying the images in and the classes out.
func (p *plain) predict(images *explaind.Tensor) error {
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
	out := p.model.Exec([]tf.Output{p.output}, map[tf.Output]*tf.Tensor{p.input: fed})
	var classes bytes.Buffer
	_, err = out[0].WriteContentsTo(&classes)
	return err
}
