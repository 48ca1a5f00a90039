// Command methods measures what each method costs, relative to a prediction of the same image:
//
//	go run ./bench/methods SAVED_MODEL_DIR…
//
// For each model it prints how long one Predict takes, then for each method the milliseconds of one Explain with the
// default options, their ratio to Predict, and the number of passes; last, what Grad-CAM, Grad-CAM++, HiResCAM, XGrad-CAM and
// LayerCAM cost together, relative to Grad-CAM alone. All of it goes through package service: preprocessing, maps of the
// input's size and normalising are included, gRPC is not. Nothing here can fail on time.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/bench/race"
	"github.com/explaind/explaind/explain"
	"github.com/explaind/explaind/service"
	"github.com/explaind/explaind/tfmodel"
)

// together are the methods that need activations and gradients only.
var together = []explaind.Method{
	explaind.MethodGradCAM, explaind.MethodGradCAMPlusPlus, explaind.MethodHiResCAM, explaind.MethodXGradCAM, explaind.MethodLayerCAM,
}

func main() {
	rounds := flag.Int("rounds", 15, "calls of each kind, after two that do not count; methods of many passes get one")
	most := flag.Int("passes", 400, "methods with more passes than this are measured with so many, and their time is scaled up")
	flag.Parse()
	if flag.NArg() == 0 {
		exit(errors.New("give the folder of at least one SavedModel"))
	}
	for _, dir := range flag.Args() {
		exit(measure(dir, *rounds, *most))
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "methods:", err, errors.Unwrap(err))
		os.Exit(1)
	}
}

func measure(dir string, rounds, most int) error {
	cache, err := os.MkdirTemp("", "explaind-methods-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(cache)
	m, err := tfmodel.Open(context.Background(), dir, tfmodel.WithCacheDir(cache))
	if err != nil {
		return err
	}
	defer m.Close()
	b := &bench{model: m, service: service.New(only{m}, service.Options{}), image: randomImage(m.Spec().Input), rounds: rounds}
	predict, err := race.Medians(rounds, b.predict)
	if err != nil {
		return err
	}
	fmt.Printf("\n%s: Predict %.1f ms\n\n| method | ms | ratio to Predict | passes at most |\n|---|---:|---:|---:|\n", filepath.Base(filepath.Dir(filepath.Clean(dir))), predict[0])
	layer, err := m.Spec().FindLayer("")
	if err != nil {
		return err
	}
	for _, method := range explain.Supported(m.Spec(), layer) {
		if err := b.row(method, layer, predict[0], most); err != nil {
			return fmt.Errorf("%s: %w", method, err)
		}
	}
	times, err := race.Medians(rounds, b.explain(explaind.MethodOptions{}, explaind.MethodGradCAM), b.explain(explaind.MethodOptions{}, together...))
	if err != nil {
		return err
	}
	fmt.Printf("\nGrad-CAM alone %.1f ms, %d methods together %.1f ms: %.2f times\n", times[0], len(together), times[1], times[1]/times[0])
	return nil
}

// row measures one method with its default options, but for the number of passes.
func (b *bench) row(method explaind.Method, layer *explaind.Layer, predict float64, most int) error {
	d, err := explain.Lookup(method)
	if err != nil {
		return err
	}
	in := b.model.Spec().Input
	size := explain.Size{Height: side(in.Height), Width: side(in.Width), Channels: layer.Channels}
	passes, scale, rounds := 0, 1.0, b.rounds
	var o explaind.MethodOptions
	if d.Passes != nil {
		passes, rounds = d.Passes(&o, size), 1
		o.ScoreCAM.MaxChannels, o.RISE.Masks = most, min(most, 4000)
		scale = float64(passes) / float64(d.Passes(&o, size))
	}
	times, err := race.Medians(rounds, b.explain(o, method))
	if err != nil {
		return err
	}
	ms := times[0] * scale
	fmt.Printf("| %s | %.1f | %.2f | %d |\n", method.Title(), ms, ms/predict, passes)
	return nil
}

type bench struct {
	model   *tfmodel.Model
	service *service.Service
	image   service.Image
	rounds  int
}

func (b *bench) predict() error {
	_, err := b.service.Predict(context.Background(), &service.PredictRequest{Image: b.image})
	return err
}

func (b *bench) explain(o explaind.MethodOptions, methods ...explaind.Method) func() error {
	return func() error {
		_, err := b.service.Explain(context.Background(), &service.ExplainRequest{
			Image: b.image, Config: service.ExplainConfig{Methods: methods, Options: o},
		})
		return err
	}
}

// only is a repository of one model.
type only struct{ model explaind.Model }

func (o only) Acquire(string, int64, string) (*explaind.Handle, error) {
	return explaind.NewHandle(o.model, explaind.ModelRef{Name: "model", Version: 1}, func() {}), nil
}

func (o only) List() []explaind.ModelStatus { return nil }

func side(d int) int {
	if d == 0 {
		return 224
	}
	return d
}

// randomImage is model input, so that nothing is decoded.
func randomImage(in explaind.Input) service.Image {
	shape := []int64{int64(side(in.Height)), int64(side(in.Width)), int64(in.Channels)}
	r := rand.New(rand.NewPCG(1, 2))
	var data []byte
	for range shape[0] * shape[1] * shape[2] {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(2*r.Float64()-1)))
	}
	return service.Image{Tensor: &service.Tensor{Shape: shape, DType: service.Float32, Data: data}}
}
