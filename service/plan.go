package service

import (
	"fmt"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/explain"
)

// plan is an ExplainConfig resolved against one model: nothing in it depends on the image.
type plan struct {
	methods   []explain.Definition
	layers    []string // full names
	targets   []explaind.Target
	score     explaind.Score
	topK      int
	rendering Rendering
	alpha     float64
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
	p := &plan{score: c.Score, rendering: c.Rendering}
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
	if p.methods, err = methods(c.Methods); err != nil {
		return nil, err
	}
	if p.layers, err = layers(c.Layers, p.methods, spec); err != nil {
		return nil, err
	}
	if p.targets, err = targets(c.Targets, spec); err != nil {
		return nil, err
	}
	if r := &p.rendering; !r.HeatmapPNG && !r.OverlayPNG && !r.ComparisonPNG {
		r.Values = true
	}
	p.groups = groups(p.methods, p.score)
	return p, nil
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

// layers finds the layers and checks that every method works on every one of them.
func layers(names []string, methods []explain.Definition, spec *explaind.Spec) ([]string, error) {
	fieldOf := func(i int) string { return fmt.Sprintf("config.layers[%d]", i) }
	if len(names) == 0 {
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
		for _, m := range methods {
			if err := explain.Supports(m.Method, spec, layer); err != nil {
				return nil, explaind.AtField(err, field)
			}
		}
		found[i] = layer.Name
	}
	return found, nil
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
// and runs no backward pass for methods that need none.
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
	for i, m := range methods {
		switch {
		case !m.Needs.Has(explaind.NeedsGradients):
		case m.Needs.Has(explaind.NeedsProbability):
			join(explaind.ScoreProbability, i)
		default:
			join(asked, i)
		}
	}
	for i, m := range methods {
		if m.Needs.Has(explaind.NeedsGradients) {
			continue
		}
		if len(list) == 0 {
			list = append(list, group{score: asked})
		}
		list[0].add(i, m)
	}
	return list
}

func (g *group) add(i int, m explain.Definition) {
	g.methods = append(g.methods, i)
	g.needs |= m.Needs &^ explaind.NeedsProbability
}
