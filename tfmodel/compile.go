package tfmodel

import (
	"context"
	"fmt"
	"slices"
	"strings"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	versionspb "github.com/galeone/tensorflow/tensorflow/go/core/framework/versions_go_proto"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel/graphdef"
	"github.com/explaind/explaind/tfmodel/savedmodel"
)

// graphVersion is the version of the GraphDef format that is written; every TensorFlow since 2.0 reads it.
var graphVersion = &versionspb.VersionDef{Producer: 440, MinConsumer: 12}

// compiled is a program with all that has to be stored.
type compiled struct {
	program *program
	graphs  map[string][]byte // serialized GraphDefs, by the names of their files
	weights []*tf.Tensor      // of program.Resident
	path    string            // the folder that holds it
	found   bool              // whether it was there already
}

// free gives the weights back. The sessions that they were assigned to keep them.
func (c *compiled) free() {
	free(c.weights...)
	c.weights = nil
}

// compile turns a SavedModel into one static graph: read → inline → rewrite → freeze → find logits, layers and head →
// differentiate → put the weights back.
func compile(ctx context.Context, dir string, side sidecar, random *randomisation) (c *compiled, err error) {
	meta, tags, err := savedmodel.Read(dir)
	if err != nil {
		return nil, err
	}
	sig, err := chooseSignature(meta, side)
	if err != nil {
		return nil, err
	}
	ops, err := operations()
	if err != nil {
		return nil, err
	}
	if err := graphdef.Check(meta.GraphDef, ops); err != nil {
		return nil, unsupported(err)
	}
	if n, does := graphdef.OutsideAtLoad(meta.GraphDef, savedmodel.LoadRuns(meta)); n != nil {
		return nil, refused(n, does, "while it is loaded")
	}
	flat, wanted, err := graphdef.Inline(graphdef.FoldConditions(meta.GraphDef), sig.wanted(), ops)
	if err != nil {
		return nil, unsupported(err)
	}
	if flat, err = graphdef.Rewrite(flat); err != nil {
		return nil, unsupported(err)
	}
	if unfed := graphdef.Unfed(flat, wanted[0], wanted[1:]...); len(unfed) > 0 {
		return nil, unsupported(fmt.Errorf("it also wants a value for %q, for which signature %q has no input; export the model for inference, with that value fixed", unfed[0], sig.name))
	}
	if n, does := graphdef.Outside(flat, wanted[0], wanted[1:]...); n != nil {
		return nil, refused(n, does, "on the way to its outputs")
	}
	flat, variables, err := graphdef.Freeze(flat)
	if err != nil {
		return nil, unsupported(err)
	}
	if err := explaind.FromContext(ctx); err != nil {
		return nil, err
	}
	p, flat, err := analyse(flat, sig, wanted[0], wanted[1:])
	if err != nil {
		return nil, err
	}
	variables = needed(flat, variables)
	values, err := readWeights(dir, tags, meta, variables)
	if err != nil {
		return nil, err
	}
	defer func() { // of all weights, those that are resident stay
		for _, v := range values {
			if c == nil || !slices.Contains(c.weights, v) {
				free(v)
			}
		}
	}()
	if err := random.shuffle(flat, p, variables, values); err != nil {
		return nil, err
	}
	return assemble(p, flat, variables, values)
}

// analyse finds the parts of the frozen graph and differentiates it.
func analyse(flat *graphdef.Graph, sig *signature, input graphdef.Ref, outputs []graphdef.Ref) (*program, *graphdef.Graph, error) {
	bones, err := newSkeleton(flat)
	if err != nil {
		return nil, nil, unsupported(err)
	}
	if err := sig.refine(bones, input); err != nil {
		return nil, nil, err
	}
	classes, err := sig.chooseOutput(bones, flat, input, outputs)
	if err != nil {
		return nil, nil, err
	}
	head := graphdef.FindHead(flat, classes.ref, bones.shapes)
	logitsType, err := bones.dtype(head.Logits)
	if err != nil {
		return nil, nil, err
	}
	layers, defaultLayer := graphdef.FindLayers(flat, input, head.Logits, bones.floats)
	score := graphdef.AddScore(flat, head, classes.count, typespb.DataType(logitsType))
	if bones, err = newSkeleton(flat); err != nil {
		return nil, nil, unsupported(err)
	}
	p := &program{Version: programVersion(), Input: input, Score: score, DenseKernel: head.Kernel}
	if err := p.differentiate(bones, layers); err != nil {
		return nil, nil, err
	}
	if bones, err = newSkeleton(bones.flat); err != nil { // with the guided gradients
		return nil, nil, unsupported(err)
	}
	for i, out := range sig.outputs {
		p.Outputs = append(p.Outputs, output{out.Name, outputs[i]})
	}
	p.Spec = newSpec(sig, bones, classes, head, layers, defaultLayer, p)
	if random := graphdef.Random(flat, input, head.Logits); len(random) > 0 {
		p.Spec.Warnings = append(p.Spec.Warnings, fmt.Sprintf("the model was exported with random augmentation or dropout switched on (node %q), which changes its answers: export it with training=False", random[0]))
	}
	if err := p.fetchFloats(bones); err != nil {
		return nil, nil, unsupported(err)
	}
	return p, bones.flat, nil
}

// differentiate adds the gradients of the input and of all layers, the guided ones of the input, and finds for each layer
// how what lies behind it runs alone.
func (p *program) differentiate(bones *skeleton, layers []graphdef.Layer) error {
	var x []graphdef.Ref
	for _, l := range layers {
		x = append(x, l.Output)
	}
	image, hasImage := graphdef.FloatInput(bones.flat, p.Input, bones.isFloat)
	if hasImage {
		x = append(x, image)
	}
	gradients, reasons, err := bones.differentiate(p.Score.ModelLogits, p.Score.ModelCotangent, x)
	if err != nil {
		return unsupported(err)
	}
	for i, l := range layers {
		t := layerTensors{Activations: l.Output, Gradients: gradients[i], Kernel: l.Kernel}
		if reasons[i] == "" {
			t.Cut = graphdef.Cut(bones.flat, p.Input, l.Output, gradients[i])
			t.Feedable = bones.perImage(append([]graphdef.Ref{l.Output}, t.Cut...))
			t.Chain = onTheWay(bones.flat, gradients[i], gradients[:len(layers)])
		}
		t.Ahead = graphdef.Cut(bones.flat, p.Input, l.Output, p.Score.Logits)
		resumable := bones.perImage(append([]graphdef.Ref{l.Output}, t.Ahead...))
		p.Layers = append(p.Layers, t)
		p.Spec.Layers = append(p.Spec.Layers, explaind.Layer{Gradients: reasons[i] == "", Reason: reasons[i], Resumable: resumable})
	}
	switch in := &p.Spec.Input; {
	case !hasImage:
		in.Reason = "the input is not of floating-point numbers, nor converted to them in one place"
	case reasons[len(layers)] != "":
		in.Reason = reasons[len(layers)]
	default:
		in.Gradients = true
		p.InputGradients = gradients[len(layers)]
		p.GuidedGradients = graphdef.AddGuided(bones.flat, p.Score.ModelCotangent, p.InputGradients)
		in.Guided = p.GuidedGradients != graphdef.Ref{}
	}
	return nil
}

// onTheWay lists those gradients that another one is made of, by their indices.
func onTheWay(g *graphdef.Graph, to graphdef.Ref, gradients []graphdef.Ref) (chain []int) {
	before := g.Ancestors(to)
	for i, other := range gradients {
		if other != to && before[other.Node] {
			chain = append(chain, i)
		}
	}
	return chain
}

// fetchFloats converts what a request may fetch to float32, for models that compute in another type.
func (p *program) fetchFloats(bones *skeleton) error {
	refs := []*graphdef.Ref{&p.DenseKernel, &p.InputGradients, &p.GuidedGradients}
	for i := range p.Outputs {
		refs = append(refs, &p.Outputs[i].Tensor)
	}
	for i := range p.Layers {
		refs = append(refs, &p.Layers[i].Activations, &p.Layers[i].Gradients, &p.Layers[i].Kernel)
	}
	for _, ref := range refs {
		if *ref == (graphdef.Ref{}) {
			continue
		}
		dtype, err := bones.dtype(*ref)
		if err != nil {
			return err
		}
		*ref = graphdef.AsFloat(bones.flat, *ref, typespb.DataType(dtype))
	}
	return nil
}

// perImage tells whether every tensor is of float32 and has one row per image.
func (s *skeleton) perImage(refs []graphdef.Ref) bool {
	for _, r := range refs {
		shape, ok := s.shapes(r)
		dtype, err := s.dtype(r)
		if !ok || err != nil || dtype != tf.Float || len(shape) == 0 || shape[0] != -1 {
			return false
		}
	}
	return true
}

// needed are the variables that are left in the graph.
func needed(g *graphdef.Graph, variables []graphdef.Variable) []graphdef.Variable {
	var left []graphdef.Variable
	for _, v := range variables {
		if g.Node(v.Name) != nil {
			left = append(left, v)
		}
	}
	return left
}

// assemble puts the weights back, once for each session's layout.
func assemble(p *program, flat *graphdef.Graph, variables []graphdef.Variable, values []*tf.Tensor) (*compiled, error) {
	c := &compiled{program: p, graphs: map[string][]byte{}}
	place := func(file string, l layout) ([]int, error) {
		full, resident, err := placeWeights(flat, variables, values, l)
		if err != nil {
			return nil, err
		}
		if c.graphs[file], err = marshal(full); err != nil {
			return nil, fmt.Errorf("writing the graph: %w", err)
		}
		return resident, nil
	}
	resident, err := place(plainFile, plainLayout)
	if err != nil {
		return nil, err
	}
	optimised, err := place(optimisedFile, optimisedLayout)
	if err != nil {
		return nil, err
	}
	for _, i := range resident {
		p.Resident = append(p.Resident, residentWeight{variables[i], int64(byteSize(values[i])), !slices.Contains(optimised, i)})
		c.weights = append(c.weights, values[i])
	}
	return c, nil
}

// unsupported is the error of a model that is not understood.
func unsupported(err error) error {
	e := explaind.Errorf(explaind.FailedPrecondition, "MODEL_NOT_UNDERSTOOD", "the model cannot be served: %w", err)
	e.Message = oneLine(e.Message)
	if !strings.Contains(e.Message, "export") {
		e.Message += "; export it again, and if TensorFlow then runs it, please report it"
	}
	return e
}

// refused is the error of a model that wants to do more than to compute.
func refused(n *nodepb.NodeDef, does, where string) error {
	return explaind.Errorf(explaind.FailedPrecondition, "OPERATION_REFUSED",
		"the model runs the operation %s at node %q %s, which %s; a served model may only compute: export it without",
		n.Op, n.Name, where, does)
}

// oneLine puts the lines of TensorFlow's texts behind each other.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
