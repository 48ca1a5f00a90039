package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/tfmodel"
)

// sanity compares maps with those of the same model with weights in random order. A map that stays what it was shows
// edges of the picture, or the shape of the network, and not what the model has learned.
//
// Source: Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018, section 3: the test that randomises the model's
// parameters, at its last layer and at all of them, by Spearman's rank correlation of absolute values.
type sanity struct{ head, all *client }

// likeness are rank correlations of a map's absolute values with those of the models with random weights; NaN where
// neither map has two different values.
type likeness struct{ head, all float64 }

// newSanity opens the model twice more.
func (a *app) newSanity(ctx context.Context, f modelFlags, seed int64) (*sanity, error) {
	s := &sanity{}
	for _, m := range []struct {
		which tfmodel.RandomWeights
		to    **client
	}{{tfmodel.RandomHead, &s.head}, {tfmodel.RandomAll, &s.all}} {
		f.runtime.random, f.runtime.seed = m.which, uint64(seed)
		_, c, err := a.connect(ctx, f)
		if err != nil {
			s.close()
			return nil, fmt.Errorf("--sanity: %w", err)
		}
		*m.to = c
	}
	return s, nil
}

func (s *sanity) close() {
	for _, c := range []*client{s.head, s.all} {
		if c != nil {
			c.close()
		}
	}
}

// compare explains the picture by both models, as config says, and compares the maps with the trained model's.
func (s *sanity) compare(ctx context.Context, p picture, config *pb.ExplainConfig, trained []*pb.Explanation) ([]likeness, error) {
	data, err := p.read()
	if err != nil {
		return nil, err
	}
	out := make([]likeness, len(trained))
	for _, m := range []struct {
		c  *client
		of func(*likeness) *float64
	}{
		{s.head, func(l *likeness) *float64 { return &l.head }},
		{s.all, func(l *likeness) *float64 { return &l.all }},
	} {
		answer, err := m.c.Explain(ctx, &pb.ExplainRequest{
			Model: m.c.model.GetModel().GetName(), Image: &pb.Image{Source: &pb.Image_Encoded{Encoded: data}}, Config: config,
		})
		if err != nil {
			return nil, fmt.Errorf("with random weights: %w", err)
		}
		random := m.c.distinct(answer.GetExplanations())
		if len(random) != len(trained) {
			return nil, errors.New("the model with random weights has other maps; please report it")
		}
		for i, x := range random {
			*m.of(&out[i]) = rankCorrelation(magnitudes(trained[i]), magnitudes(x))
		}
	}
	return out, nil
}

// magnitudes are the absolute values of a map.
func magnitudes(x *pb.Explanation) []float64 {
	data := x.GetHeatmap().GetValues()
	out := make([]float64, len(data)/4)
	for i := range out {
		out[i] = math.Abs(float64(math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))))
	}
	return out
}
