package tfmodel_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/internal/zoo"
)

// many targets take three backward passes of at most eight rows each.
const many = 24

// manyTargets are the model's classes, each alone and rather than each other one.
func manyTargets(classes int) []explaind.Target {
	list := make([]explaind.Target, many)
	for i := range list {
		list[i] = explaind.Target{Class: i % classes, Versus: -1}
		if step := i / classes; step > 0 {
			list[i].Versus = (i + step) % classes
		}
	}
	return list
}

// Gradients of many targets, which no single run brings, are those of each target alone: at a layer and at the input, guided
// or not, of one image and of several.
func TestManyTargets(t *testing.T) {
	const needs = explaind.NeedsGradients | explaind.NeedsInputGradients | explaind.NeedsGuidedGradients
	m, reference := open(t, zoo.Folder(t, "gap_like")), zoo.Load(t, "gap_like")
	targets := manyTargets(reference.Logits.Shape[1])
	explain := func(images *explaind.Tensor, list []explaind.Target) []explaind.Evidence {
		r := &explaind.ExplainRequest{Images: images, Layers: []string{m.Spec().DefaultLayer}, Needs: needs}
		for range images.Rows() {
			r.Targets = append(r.Targets, list)
		}
		result, err := m.Explain(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return result.Evidence
	}
	images := reference.Images.Slice(0, 2)
	together := explain(images, targets)
	if len(together) != 2*many {
		t.Fatalf("%d pieces of evidence", len(together))
	}
	for i, target := range targets {
		for row, want := range explain(images, []explaind.Target{target}) {
			got := together[row*many+i]
			if got.Row != row || got.Class != target.Class || got.Versus != target.Versus {
				t.Fatalf("number %d is of row %d, class %d versus %d", i, got.Row, got.Class, got.Versus)
			}
			for kind, p := range map[string][2]*explaind.Tensor{
				"at the layer": {got.Gradients, want.Gradients}, "at the input": {got.InputGradients, want.InputGradients},
				"guided": {got.GuidedGradients, want.GuidedGradients},
			} {
				if worst, size := mostDifference(p[0], p[1]), extent(p[1].Data); size == 0 || worst > mostMapError*size {
					t.Errorf("row %d, %+v, %s: off by %.2g of %.2g", row, target, kind, worst, size)
				}
			}
		}
	}
}

// countdown is a context that ends when it has been asked so many times whether it has.
type countdown struct {
	context.Context
	left atomic.Int64
}

func (c *countdown) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// A context that ends between two parts of a backward pass is noticed there: each run asks once before it begins, and the last
// one for the cause as well.
func TestPartsStop(t *testing.T) {
	m, reference := open(t, zoo.Folder(t, "gap_like")), zoo.Load(t, "gap_like")
	targets := manyTargets(reference.Logits.Shape[1])
	for what, c := range map[string]struct {
		needs explaind.Needs
		runs  int // the forward pass, then three parts of each backward pass
	}{
		"at the layer": {explaind.NeedsGradients, 1 + many/8}, "at the input": {explaind.NeedsInputGradients, 1 + many/8},
		"at both": {explaind.NeedsGradients | explaind.NeedsInputGradients, 1 + 2*many/8},
	} {
		for runs := range c.runs + 1 {
			ctx := &countdown{Context: t.Context()}
			ctx.left.Store(int64(runs))
			_, err := m.Explain(ctx, &explaind.ExplainRequest{Images: reference.Images.Slice(0, 1), Layers: []string{m.Spec().DefaultLayer},
				Targets: [][]explaind.Target{targets}, Needs: c.needs})
			if runs == c.runs {
				if err != nil || ctx.left.Load() != 0 {
					t.Errorf("%s: %v, and %d runs less than %d", what, err, ctx.left.Load(), c.runs)
				}
				continue
			}
			if e := explaind.AsError(err); err == nil || e.Code != explaind.Canceled || ctx.left.Load() != -2 {
				t.Errorf("%s, ended after %d runs: %v, and was asked %d times more", what, runs, err, -ctx.left.Load()-2)
			}
		}
	}
}
