package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// tiny are the models that make_models.py made: one network with several sets of weights, each with its known answer to one
// picture. Version v of a model that is swapped is variant v modulo their number.
type tiny struct {
	dir      string
	Side     int64
	Picture  []byte // [side, side, 3], RGB
	Variants []struct {
		Probabilities []float64
		Heat          []float64 // Grad-CAM of the most probable class, at the layer's size
	}
}

func readTiny(dir string) (*tiny, error) {
	text, err := os.ReadFile(filepath.Join(dir, "golden.json"))
	if err != nil {
		return nil, fmt.Errorf("%w; make soak makes it", err)
	}
	t := &tiny{dir: dir}
	return t, json.Unmarshal(text, t)
}

// folder is the SavedModel of a version.
func (t *tiny) folder(version int64) string {
	return filepath.Join(t.dir, fmt.Sprint(version%int64(len(t.Variants))))
}

func (t *tiny) image() *pb.Image {
	return &pb.Image{Source: &pb.Image_Tensor{Tensor: &pb.Tensor{
		Shape: []int64{t.Side, t.Side, 3}, Dtype: pb.DataType_DATA_TYPE_UINT8, Data: t.Picture}}}
}

// config asks for the map that is known.
func (t *tiny) config() *pb.ExplainConfig {
	return &pb.ExplainConfig{Rendering: &pb.Rendering{Values: true, Resolution: pb.Resolution_RESOLUTION_LAYER}}
}

// tolerance is how far float32 on another engine may be from Keras; the variants' probabilities differ by 0.05 at least.
const tolerance = 1e-3

// wrongClasses tells how an answer differs from what the version that it names must say; "" if it does not.
func (t *tiny) wrongClasses(m *pb.ModelRef, scores []*pb.ClassScore) string {
	want := t.Variants[m.GetVersion()%int64(len(t.Variants))].Probabilities
	if len(scores) != len(want) {
		return fmt.Sprintf("version %d answers %d classes", m.GetVersion(), len(scores))
	}
	for _, s := range scores {
		if p := want[s.GetClassIndex()]; !(math.Abs(float64(s.GetProbability())-p) <= tolerance) {
			return fmt.Sprintf("version %d: class %d has %.4f, not %.4f", m.GetVersion(), s.GetClassIndex(), s.GetProbability(), p)
		}
	}
	return ""
}

// wrongHeat is wrongClasses of an explanation.
func (t *tiny) wrongHeat(a *pb.ExplainResponse) string {
	want := t.Variants[a.GetModel().GetVersion()%int64(len(t.Variants))].Heat
	if len(a.GetExplanations()) != 1 || len(a.GetExplanations()[0].GetHeatmap().GetValues()) != 4*len(want) {
		return fmt.Sprintf("version %d: no map of %d values", a.GetModel().GetVersion(), len(want))
	}
	values := a.GetExplanations()[0].GetHeatmap().GetValues()
	for i, w := range want {
		if got := math.Float32frombits(binary.LittleEndian.Uint32(values[4*i:])); !(math.Abs(float64(got)-w) <= tolerance) {
			return fmt.Sprintf("version %d: value %d of the map is %.4f, not %.4f", a.GetModel().GetVersion(), i, got, w)
		}
	}
	return t.wrongClasses(a.GetModel(), a.GetPredictions())
}
