package service

import (
	"fmt"
	"slices"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/explain"
)

// plan is an ExplainConfig resolved against one model: nothing in it depends on the image.
type plan struct {
	methods   []explain.Definition
	layers    []string // full names; one empty name for a model without layers
	looks     bool     // some method looks at the layers
	targets   []explaind.Target
	score     explaind.Score
	topK      int
	options   explaind.MethodOptions
	rendering Rendering
	alpha     float64
	faithful  bool
	groups    []group
}

// group is a set of methods that one run of the model serves: all those whose gradients are of the same score.
type group struct {
	score   explaind.Score
	needs   explaind.Needs
	methods []int // indices into plan.methods
}

// newPlan checks a config. Errors name the config's field.
func newPlan(c *ExplainConfig, spec *explaind.Spec, maxExplanations int) (*plan, error) {
	p := &plan{score: c.Score, options: c.Options, rendering: c.Rendering, faithful: c.Faithfulness}
	var err error
	if p.topK, err = topK(c.TopK, spec, "config.top_k"); err != nil {
		return nil, err
	}
	if p.alpha, err = alpha(c.Rendering.Alpha); err != nil {
		return nil, err
	}
	if err := checkCount(c, maxExplanations); err != nil {
		return nil, err
	}
	if err := explain.CheckOptions(&p.options, optionsField); err != nil {
		return nil, err
	}
	if p.methods, err = methods(c.Methods); err != nil {
		return nil, err
	}
	if p.layers, err = p.findLayers(c.Layers, spec); err != nil {
		return nil, err
	}
	if p.targets, err = targets(c.Targets, spec); err != nil {
		return nil, err
	}
	if err := p.checkForm(); err != nil {
		return nil, err
	}
	if r := &p.rendering; !r.HeatmapPNG && !r.OverlayPNG && !r.ComparisonPNG {
		r.Values = true
	}
	p.groups = groups(p.methods, p.score)
	return p, nil
}

const optionsField = "config.options."

// variants is how many images one image is explained by.
func (p *plan) variants() int {
	if p.options.AugSmooth {
		return len(variantsOf)
	}
	return 1
}

// long tells whether the model is asked more than once or twice.
func (p *plan) long() bool {
	return p.faithful || slices.ContainsFunc(p.methods, func(d explain.Definition) bool { return d.Passes != nil })
}

// checkCount compares factor by factor: the product of three lists of millions would overflow.
func checkCount(c *ExplainConfig, most int) error {
	n := 1
	for _, factor := range []int{len(c.Methods), len(c.Layers), len(c.Targets)} {
		if n *= max(factor, 1); n > most {
			return explaind.FieldError("config", "TOO_MANY_EXPLANATIONS",
				"%d methods × %d layers × %d targets are asked for and the server allows %d explanations; ask for fewer at a time", max(len(c.Methods), 1), max(len(c.Layers), 1), max(len(c.Targets), 1), most)
		}
	}
	return nil
}

func alpha(a *float32) (float64, error) {
	if a == nil {
		return 0.5, nil
	}
	if !(*a >= 0 && *a <= 1) {
		return 0, explaind.FieldError("config.rendering.alpha", "BAD_ALPHA", "alpha is the heatmap's weight, from 0 to 1, got %v", *a)
	}
	return float64(*a), nil
}

func methods(names []explaind.Method) ([]explain.Definition, error) {
	if len(names) == 0 {
		names = []explaind.Method{explaind.DefaultMethod}
	}
	found := make([]explain.Definition, len(names))
	for i, name := range names {
		var err error
		if found[i], err = explain.Lookup(name); err != nil {
			return nil, explaind.AtField(err, fmt.Sprintf("config.methods[%d]", i))
		}
	}
	return found, nil
}

// findLayers finds the layers and checks that every method works on every one of them, with the options. Without names
// it is the default layer. Methods that explain the input itself need none.
func (p *plan) findLayers(names []string, spec *explaind.Spec) ([]string, error) {
	p.looks = slices.ContainsFunc(p.methods, func(d explain.Definition) bool { return !d.Traits.Has(explain.OfInput) })
	fieldOf := func(i int) string { return fmt.Sprintf("config.layers[%d]", i) }
	if len(names) == 0 {
		if spec.DefaultLayer == "" {
			return []string{""}, p.settle(spec, nil, "config.methods")
		}
		names = []string{""}
		fieldOf = func(int) string { return "config.layers" }
	}
	found := make([]string, len(names))
	for i, name := range names {
		field := fieldOf(i)
		layer, err := spec.FindLayer(name)
		if err != nil {
			return nil, explaind.AtField(err, field)
		}
		if err := p.settle(spec, layer, field); err != nil {
			return nil, err
		}
		found[i] = layer.Name
	}
	return found, nil
}

// settle checks the methods and their options on one layer.
func (p *plan) settle(spec *explaind.Spec, layer *explaind.Layer, field string) (err error) {
	for i, m := range p.methods {
		on, at := layer, field
		if m.Traits.Has(explain.OfInput) { // what stands in its way is the model, not the layer
			on, at = nil, fmt.Sprintf("config.methods[%d]", i)
		}
		if err := explain.Supports(m.Method, spec, on); err != nil {
			return explaind.AtField(err, at)
		}
		if p.methods[i], err = explain.Settle(m, &p.options, spec, layer, optionsField); err != nil {
			return err
		}
	}
	return nil
}

// checkForm refuses a difference of two classes where the formula is one of the softmax of a single class.
func (p *plan) checkForm() error {
	if !slices.ContainsFunc(p.methods, func(d explain.Definition) bool { return d.Needs.Has(explaind.NeedsHead) }) {
		return nil
	}
	for i, t := range p.targets {
		if t.Versus >= 0 {
			return explaind.FieldError(fmt.Sprintf("config.targets[%d].versus_class_index", i), "OPTION_UNSUPPORTED",
				"the softmax form of Grad-CAM++ explains the probability of one class; leave the other one out, or use the exponential form")
		}
	}
	return nil
}

func targets(asked []Target, spec *explaind.Spec) ([]explaind.Target, error) {
	if len(asked) == 0 {
		return []explaind.Target{{Rank: 1, Versus: -1}}, nil
	}
	found := make([]explaind.Target, len(asked))
	for i, t := range asked {
		var err error
		if found[i], err = target(t, spec, fmt.Sprintf("config.targets[%d]", i)); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func target(t Target, spec *explaind.Spec, field string) (explaind.Target, error) {
	out := explaind.Target{Versus: -1}
	classes := spec.Head.Classes
	switch {
	case t.Class != nil:
		if err := classInRange(*t.Class, classes, field+".class_index"); err != nil {
			return out, err
		}
		out.Class = *t.Class
	case t.Label != nil:
		class, err := spec.ClassByLabel(*t.Label)
		if err != nil {
			return out, explaind.AtField(err, field+".label")
		}
		out.Class = class
	case t.Rank != nil:
		if *t.Rank < 1 || *t.Rank > classes {
			return out, explaind.FieldError(field+".rank", "RANK_OUT_OF_RANGE", "rank %d is asked for; the model has %d classes, and 1 is the most probable one", *t.Rank, classes)
		}
		out.Rank = *t.Rank
	default:
		out.Rank = 1
	}
	if t.Versus != nil {
		if err := classInRange(*t.Versus, classes, field+".versus_class_index"); err != nil {
			return out, err
		}
		if out.Rank == 0 && out.Class == *t.Versus {
			return out, versusItself(field, out.Class)
		}
		out.Versus = *t.Versus
	}
	return out, nil
}

func versusItself(field string, class int) error {
	return explaind.FieldError(field+".versus_class_index", "VERSUS_ITSELF", "class %d cannot be explained against itself; name another class", class)
}

func classInRange(class, classes int, field string) error {
	if class >= 0 && class < classes {
		return nil
	}
	return explaind.FieldError(field, "CLASS_OUT_OF_RANGE", "class %d is asked for, the model has classes 0 to %d", class, classes-1)
}

// groups puts the methods together so that the model runs once per score that gradients are asked of, at most twice,
// and runs no backward pass for methods that need none. Methods that ask the model again compare with the score asked for.
func groups(methods []explain.Definition, asked explaind.Score) []group {
	var list []group
	join := func(score explaind.Score, i int) {
		for g := range list {
			if list[g].score == score {
				list[g].add(i, methods[i])
				return
			}
		}
		list = append(list, group{score: score})
		list[len(list)-1].add(i, methods[i])
	}
	var easy []int
	for i, m := range methods {
		switch {
		case m.Needs.Has(explaind.NeedsProbability):
			join(explaind.ScoreProbability, i)
		case m.Ask != nil || m.Needs.OfScore():
			join(asked, i)
		default:
			easy = append(easy, i)
		}
	}
	for _, i := range easy {
		if len(list) == 0 {
			list = append(list, group{score: asked})
		}
		list[0].add(i, methods[i])
	}
	return list
}

func (g *group) add(i int, m explain.Definition) {
	g.methods = append(g.methods, i)
	g.needs |= m.Needs &^ explaind.NeedsProbability
}
