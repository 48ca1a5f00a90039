package native_test

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/internal/fakemodel"
	"github.com/explaind/explaind/service"
)

// shade is the picture of a sequence: no two of 256 have the same answer.
func shade(sequence int64) painting { return plain(uint8(sequence), 255-uint8(sequence), 17) }

// checkShade compares a result with what the formulas say about the picture of its sequence.
func checkShade(t *testing.T, r *result) {
	t.Helper()
	s := look(shade(r.sequence).inputs(), 3)
	if len(r.answer.GetPredictions()) != 3 || r.answer.GetImageId() != name("image %d", r.sequence) {
		t.Fatalf("sequence %d: answer is %v", r.sequence, r.answer)
	}
	for _, p := range r.answer.GetPredictions() {
		near(t, name("logit of sequence %d", r.sequence), p.GetLogit(), s.logits[p.GetClassIndex()])
		near(t, name("probability of sequence %d", r.sequence), p.GetProbability(), s.probs[p.GetClassIndex()])
	}
	if e, ok := r.answer.(*pb.ExplainResponse); ok {
		s.raw(t, gradCAM, of(s.ranked(1)), nil).bilinear(4, 4).check(t, e.GetExplanations()[0].GetHeatmap())
	}
}

func named(t testing.TB, p painting, sequence int64) *pb.Image {
	i := p.image(t)
	i.Id = name("image %d", sequence)
	return i
}

// A good many images of which every third is corrupt: each gets one answer, the right one, in order if asked.
func TestStreamOfGoodAndBad(t *testing.T) {
	const n = 200
	overBoth(t, func(t *testing.T, tcp bool) {
		s := one(colours())
		s.tcp, s.options.MaxInFlight = tcp, 3
		r := start(t, s)
		onBoth(t, func(t *testing.T, kind talkKind) {
			for _, ordered := range []bool{false, true} {
				stream, started := dialogue{r, kind}.begin(t, t.Context(), talkConfig{ordered: ordered})
				if started.GetMaxInFlight() != 6 || started.GetModel().GetName() != "colours" || started.GetModel().GetVersion() != 1 {
					t.Errorf("started with %v", started)
				}
				var sent []int64
				go func() {
					for i := range int64(n) {
						picture := named(t, shade(i), i)
						if i%3 == 2 {
							encoded := picture.GetEncoded()
							picture = tensorless(encoded[:len(encoded)-20])
						}
						if err := stream.item(i, picture); err != nil {
							t.Errorf("sending %d: %v", i, err)
						}
					}
					stream.CloseSend()
				}()
				for i := range int64(n) {
					sent = append(sent, i)
				}
				all := hearAll(t, stream)
				if all.end != nil || all.drained >= 0 || all.summary.GetSucceeded() != 134 || all.summary.GetFailed() != 66 {
					t.Fatalf("ordered %v: ended with %v and %v", ordered, all.end, all.summary)
				}
				if ordered && !slices.Equal(all.order, sent) {
					t.Errorf("answered in the order %v", all.order)
				}
				slices.Sort(all.order)
				if !slices.Equal(all.order, sent) {
					t.Errorf("ordered %v: answered %v", ordered, all.order)
				}
				for i := range int64(n) {
					if i%3 == 2 {
						badRequest{code: invalid, reason: "IMAGE_DECODE_FAILED", subject: "image.encoded"}.check(t, name("item %d", i), all.failures[i])
					} else {
						checkShade(t, all.results[i])
					}
				}
			}
		})
	})
}

// Answers come as they are ready; in an ordered stream they wait for the first.
func TestStreamOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, kind talkKind) {
		for _, ordered := range []bool{false, true} {
			m := colours()
			first, others := make(chan struct{}), make(chan struct{}, 8)
			var once atomic.Bool
			m.BeforeRun = func(context.Context) error {
				if !once.Swap(true) {
					<-first
				} else {
					others <- struct{}{}
				}
				return nil
			}
			s := one(m)
			s.options.MaxInFlight = 4
			r := start(t, s)
			stream, _ := dialogue{r, kind}.begin(t, t.Context(), talkConfig{ordered: ordered})
			stream.item(0, named(t, shade(0), 0))
			eventually(t, "the first runs", once.Load)
			for i := int64(1); i < 4; i++ {
				stream.item(i, named(t, shade(i), i))
			}
			stream.CloseSend()
			var early []int64
			if !ordered {
				for range 3 {
					e := must[event](t)(stream.hear())
					early = append(early, e.result.sequence)
				}
			} else {
				for range 3 {
					<-others
				}
			}
			close(first)
			all := hearAll(t, stream)
			order := append(early, all.order...)
			if ordered && !slices.Equal(order, []int64{0, 1, 2, 3}) || !ordered && order[3] != 0 {
				t.Errorf("ordered %v: answered %v", ordered, order)
			}
		}
	})
}

func TestStreamDuplicates(t *testing.T) {
	r := start(t, one(colours()))
	onBoth(t, func(t *testing.T, kind talkKind) {
		stream, _ := dialogue{r, kind}.begin(t, t.Context(), talkConfig{ordered: true})
		// A sequence is used up by a bad image too, and may be any number.
		sequences := []int64{5, 5, -1, 1 << 62, -1, 6, 5, -1 << 63, -1 << 63}
		for i, sequence := range sequences {
			picture := named(t, shade(sequence), sequence)
			if i == 5 {
				picture = nil
			}
			stream.item(sequence, picture)
		}
		stream.item(6, named(t, shade(6), 6))
		stream.CloseSend()
		all := hearAll(t, stream)
		if all.end != nil || all.summary.GetSucceeded() != 4 || all.summary.GetFailed() != 6 {
			t.Fatalf("ended with %v, %v", all.end, all.summary)
		}
		if want := append(sequences, 6); !slices.Equal(all.order, want) {
			t.Errorf("answered %v, want %v", all.order, want)
		}
		for _, sequence := range []int64{5, -1, 6, -1 << 63} {
			badRequest{code: invalid, reason: "DUPLICATE_SEQUENCE", subject: "sequence"}.check(t, name("item %d", sequence), all.failures[sequence])
		}
	})
}

// A stream that breaks the rules is told which, after all that came before is answered.
func TestStreamRules(t *testing.T) {
	r := start(t, one(colours()))
	picture := func(i int64) *pb.Image { return named(t, shade(i), i) }
	for _, c := range []struct {
		what    string
		say     func(talk)
		answers int // beside started, if there is one
		reason  string
		field   string
	}{
		{"nothing", func(talk) {}, -1, "CONFIG_REQUIRED", "config"},
		{"an empty message", func(s talk) { s.empty() }, -1, "CONFIG_REQUIRED", "config"},
		{"an item first", func(s talk) { s.item(0, picture(0)); s.config(talkConfig{}) }, -1, "CONFIG_REQUIRED", "config"},
		{"two configs", func(s talk) { s.config(talkConfig{}); s.config(talkConfig{}) }, 0, "ITEM_REQUIRED", "item"},
		{"a config in the middle", func(s talk) {
			s.config(talkConfig{})
			s.item(0, picture(0))
			s.item(1, picture(1))
			s.config(talkConfig{})
			s.item(2, picture(2))
		}, 2, "ITEM_REQUIRED", "item"},
		{"an empty message in the middle", func(s talk) {
			s.config(talkConfig{ordered: true})
			s.item(0, picture(0))
			s.empty()
		}, 1, "ITEM_REQUIRED", "item"},
	} {
		t.Run(c.what, func(t *testing.T) {
			onBoth(t, func(t *testing.T, kind talkKind) {
				stream := dialogue{r, kind}.open(t, t.Context())
				c.say(stream)
				stream.CloseSend()
				if c.answers >= 0 {
					if e, err := stream.hear(); err != nil || e.started == nil {
						t.Fatalf("began with %+v, %v", e, err)
					}
				}
				all := hearAll(t, stream)
				if len(all.order) != max(c.answers, 0) || all.summary != nil {
					t.Errorf("answered %v and %v, want %d", all.order, all.summary, c.answers)
				}
				for _, x := range all.results {
					checkShade(t, x)
				}
				badRequest{code: invalid, reason: c.reason, subject: c.field}.check(t, "the end", all.end)
			})
		})
	}
}

func TestStreamWithoutImages(t *testing.T) {
	r := start(t, one(colours()))
	onBoth(t, func(t *testing.T, kind talkKind) {
		stream, _ := dialogue{r, kind}.begin(t, t.Context(), talkConfig{})
		stream.CloseSend()
		if all := hearAll(t, stream); all.end != nil || all.summary == nil || len(all.order) != 0 {
			t.Errorf("ended with %+v", all)
		}
	})
}

// A stream stays with the version that it began with, and lets it go at its end.
func TestStreamPinsTheVersion(t *testing.T) {
	onBoth(t, func(t *testing.T, kind talkKind) {
		first, second := colours(), fakemodel.New(4, "rot", "grün", "blau")
		r := start(t, one(first))
		stream, _ := dialogue{r, kind}.begin(t, t.Context(), talkConfig{})
		stream.item(0, named(t, shade(0), 0))
		e := must[event](t)(stream.hear())
		r.repo.Put("colours", 2, second)
		r.repo.Load(t.Context())
		stream.item(1, named(t, shade(1), 1))
		e2 := must[event](t)(stream.hear())
		for _, e := range []event{e, e2} {
			if v := e.result.answer.GetModel().GetVersion(); v != 1 || !strings.Contains("red green blue", e.result.answer.GetPredictions()[0].GetLabel()) {
				t.Errorf("sequence %d was answered by version %d", e.result.sequence, v)
			}
		}
		got := must[*pb.PredictResponse](t)(r.Predict(t.Context(), &pb.PredictRequest{Image: shade(1).image(t)}))
		if got.GetModel().GetVersion() != 2 || first.Closed() {
			t.Errorf("new requests are answered by %v; the first version is closed: %v", got.GetModel(), first.Closed())
		}
		stream.CloseSend()
		if all := hearAll(t, stream); all.end != nil {
			t.Error(all.end)
		}
		eventually(t, "the first version is closed", first.Closed)
	})
}

// Many streams and single requests at once: every answer is right, and no more than the places allow run at once.
func TestManyStreams(t *testing.T) {
	m := colours()
	m.BeforeRun = func(context.Context) error { runtime.Gosched(); return nil }
	s := one(m)
	s.options, s.tcp = service.Options{MaxInFlight: 3}, true
	r := start(t, s)
	var all sync.WaitGroup
	for worker := range 8 {
		kind := []talkKind{predictTalk, explainTalk}[worker%2]
		all.Go(func() {
			stream, err := kind.open(t.Context(), r)
			if err != nil {
				t.Error(err)
				return
			}
			go func() {
				stream.config(talkConfig{ordered: worker%4 < 2})
				for i := range int64(40) {
					stream.item(i, named(t, shade(i), i))
				}
				stream.CloseSend()
			}()
			stream.hear()
			heard := hearAll(t, stream)
			if heard.end != nil || heard.summary.GetSucceeded() != 40 {
				t.Errorf("a stream ended with %v, %v", heard.end, heard.summary)
			}
			for _, x := range heard.results {
				checkShade(t, x)
			}
		})
		all.Go(func() {
			for i := range 20 {
				got, err := r.Predict(t.Context(), &pb.PredictRequest{Image: shade(int64(i)).image(t)})
				if err != nil {
					t.Error(err)
					return
				}
				p := got.GetPredictions()[0]
				near(t, "logit", p.GetLogit(), look(shade(int64(i)).inputs(), 3).logits[p.GetClassIndex()])
			}
		})
	}
	all.Wait()
	if m.Peak() > 3 {
		t.Errorf("%d runs at once, 3 are allowed", m.Peak())
	}
}
