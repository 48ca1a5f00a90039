package native_test

import (
	"math"
	"testing"

	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/fakemodel"
)

// A red picture has the mean (1, 0, 0): its logits are 8 − 2, 8/e − 2 and 8/e⁴ − 2, written out here by hand.
func TestPredictRed(t *testing.T) {
	overBoth(t, func(t *testing.T, tcp bool) {
		s := one(colours())
		s.tcp = tcp
		r := start(t, s)
		image := plain(255, 0, 0).image(t)
		image.Id = "a red one"
		got := must[*pb.PredictResponse](t)(r.Predict(t.Context(), &pb.PredictRequest{Image: image}))
		if got.GetImageId() != "a red one" {
			t.Errorf("image_id is %q", got.GetImageId())
		}
		if m := got.GetModel(); m.GetName() != "colours" || m.GetVersion() != 1 || m.GetDigest() != "fa4ered" {
			t.Errorf("model is %v", m)
		}
		want := []struct {
			class              int32
			label              string
			logit, probability float64
		}{{0, "red", 6, 0.993292}, {1, "green", 0.943036, 0.006322}, {2, "blue", -1.853475, 0.000386}}
		if len(got.GetPredictions()) != len(want) {
			t.Fatalf("%d predictions", len(got.GetPredictions()))
		}
		for i, w := range want {
			p := got.GetPredictions()[i]
			if p.GetClassIndex() != w.class || p.GetLabel() != w.label {
				t.Errorf("prediction %d is %v, want class %d %s", i, p, w.class, w.label)
			}
			if math.Abs(float64(p.GetLogit())-w.logit) > 1e-6 || math.Abs(float64(p.GetProbability())-w.probability) > 1e-6 {
				t.Errorf("prediction %d is %v, want logit %v and probability %v", i, p, w.logit, w.probability)
			}
		}
		if got.GetOutputs() != nil {
			t.Errorf("outputs that nobody asked for: %v", got.GetOutputs())
		}
	})
}

func TestPredictTopK(t *testing.T) {
	seven := fakemodel.New(4, "a", "b", "c", "d", "e", "f", "g")
	r := start(t, one(seven))
	s := look(mixed(4, 4).inputs(), 7)
	for _, c := range []struct{ topK, want int }{{0, 5}, {1, 1}, {3, 3}, {7, 7}, {1 << 30, 7}} {
		got := must[*pb.PredictResponse](t)(r.Predict(t.Context(), &pb.PredictRequest{Image: mixed(4, 4).image(t), TopK: int32(c.topK)}))
		if len(got.GetPredictions()) != c.want {
			t.Errorf("top_k %d gives %d classes, want %d", c.topK, len(got.GetPredictions()), c.want)
		}
		for i, p := range got.GetPredictions() {
			if want := s.ranked(i + 1); int(p.GetClassIndex()) != want {
				t.Errorf("top_k %d: place %d is class %d, want %d", c.topK, i, p.GetClassIndex(), want)
			}
			near(t, "probability", p.GetProbability(), s.probs[p.GetClassIndex()])
			near(t, "logit", p.GetLogit(), s.logits[p.GetClassIndex()])
		}
	}
}

func TestPredictRawOutputs(t *testing.T) {
	r := start(t, one(colours()))
	got := must[*pb.PredictResponse](t)(r.Predict(t.Context(), &pb.PredictRequest{Image: mixed(4, 4).image(t), RawOutputs: true}))
	if len(got.GetOutputs()) != 1 || got.GetOutputs()[0].GetName() != "y" {
		t.Fatalf("outputs are %v", got.GetOutputs())
	}
	y := got.GetOutputs()[0].GetTensor()
	if y.GetDtype() != pb.DataType_DATA_TYPE_FLOAT32 || len(y.GetShape()) != 2 || y.GetShape()[0] != 1 || y.GetShape()[1] != 3 {
		t.Fatalf("y is %v %v, want float32 [1, 3]", y.GetDtype(), y.GetShape())
	}
	for c, p := range floats(y.GetData()) {
		near(t, "y", p, look(mixed(4, 4).inputs(), 3).probs[c])
	}
}

// The same pixels are the same answer, however they come.
func TestPredictSources(t *testing.T) {
	p := mixed(4, 4)
	var values []float32
	for _, b := range p.bytes() {
		values = append(values, float32(b)/255)
	}
	r := start(t, one(colours()))
	s := look(p.inputs(), 3)
	for what, image := range map[string]*pb.Image{
		"png":                tensorless(p.png(t)),
		"uint8":              tensor(pb.DataType_DATA_TYPE_UINT8, p.bytes(), 4, 4, 3),
		"uint8 with batch":   tensor(pb.DataType_DATA_TYPE_UINT8, p.bytes(), 1, 4, 4, 3),
		"float32":            tensor(pb.DataType_DATA_TYPE_FLOAT32, littleEndian(values...), 4, 4, 3),
		"float32 with batch": tensor(pb.DataType_DATA_TYPE_FLOAT32, littleEndian(values...), 1, 4, 4, 3),
	} {
		t.Run(what, func(t *testing.T) {
			got := must[*pb.PredictResponse](t)(r.Predict(t.Context(), &pb.PredictRequest{Image: image}))
			for _, p := range got.GetPredictions() {
				near(t, "logit", p.GetLogit(), s.logits[p.GetClassIndex()])
			}
		})
	}
}

// An 8×8 picture is resized to 4×4 at half-pixel centres: every pixel is the mean of four.
func TestPredictResizes(t *testing.T) {
	p := mixed(8, 8)
	large, small := p.inputs(), make(grid, 4)
	for y := range small {
		small[y] = make([][3]float64, 4)
		for x := range small[y] {
			for k := range 3 {
				small[y][x][k] = (large[2*y][2*x][k] + large[2*y+1][2*x][k] + large[2*y][2*x+1][k] + large[2*y+1][2*x+1][k]) / 4
			}
		}
	}
	s := look(small, 3)
	r := start(t, one(colours()))
	for what, image := range map[string]*pb.Image{"png": p.image(t), "uint8": tensor(pb.DataType_DATA_TYPE_UINT8, p.bytes(), 8, 8, 3)} {
		got := must[*pb.PredictResponse](t)(r.Predict(t.Context(), &pb.PredictRequest{Image: image}))
		for _, p := range got.GetPredictions() {
			near(t, what, p.GetLogit(), s.logits[p.GetClassIndex()])
		}
	}
}

// A model of free size takes a picture as it is.
func TestPredictFreeSize(t *testing.T) {
	free := colours()
	free.Spec().Input.Height, free.Spec().Input.Width = 0, 0
	r := start(t, one(free))
	for _, p := range []painting{mixed(6, 10), mixed(2, 2), mixed(16, 4)} {
		s := look(p.inputs(), 3)
		got := must[*pb.PredictResponse](t)(r.Predict(t.Context(), &pb.PredictRequest{Image: p.image(t)}))
		for _, c := range got.GetPredictions() {
			near(t, name("%d×%d", p.width, p.height), c.GetLogit(), s.logits[c.GetClassIndex()])
		}
	}
}

// Labels come from files of any encoding. Protobuf sends UTF-8 only.
func TestLabelsThatAreNoUTF8(t *testing.T) {
	r := start(t, one(fakemodel.New(4, "a", "pur\xe9e")))
	got := must[*pb.PredictResponse](t)(r.Predict(t.Context(), &pb.PredictRequest{Image: plain(0, 255, 0).image(t)}))
	if label := got.GetPredictions()[0].GetLabel(); label != "pur\uFFFDe" {
		t.Errorf("label is %q", label)
	}
}

func TestTiming(t *testing.T) {
	r := start(t, one(colours()))
	p := must[*pb.PredictResponse](t)(r.Predict(t.Context(), &pb.PredictRequest{Image: mixed(4, 4).image(t)})).GetTiming()
	e := must[*pb.ExplainResponse](t)(r.Explain(t.Context(), &pb.ExplainRequest{Image: mixed(400, 400).image(t)})).GetTiming()
	for _, x := range []*pb.Timing{p, e} {
		phases := x.GetQueueUs() + x.GetDecodeUs() + x.GetRunUs() + x.GetRenderUs()
		// Each phase is cut to whole microseconds, so the total may be more, never less.
		if x.GetTotalUs() < phases || x.GetTotalUs() > 10e6 || x.GetTotalUs() == 0 {
			t.Errorf("the phases of %v have %d µs", x, phases)
		}
	}
	if e.GetDecodeUs() < 100 {
		t.Errorf("decoding 160 000 pixels took %d µs; is that the unit?", e.GetDecodeUs())
	}
}

func tensorless(encoded []byte) *pb.Image {
	return &pb.Image{Source: &pb.Image_Encoded{Encoded: encoded}}
}
