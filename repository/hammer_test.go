package repository

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/explaind/explaind"
)

// TestHammer acquires, runs and releases from many goroutines while versions are replaced, added, removed, broken, labelled,
// loaded and unloaded. The model reports every use after Close and every Close in use. A model that nobody unloads never is
// without a version, nor is a label.
func TestHammer(t *testing.T) {
	const workers, rounds = 4, 400
	const pause = 50 * time.Microsecond // between uses, so that the others come to their turn on few cores
	r := newRig(t, nil, map[string]string{"m/1": "m1", "n/1": "n1"})
	r.turn()
	must(t, r.SetVersionLabel("m", "stable", 1))
	image := explaind.NewTensor(1, 4, 4, 3)
	stop := make(chan struct{})
	var used atomic.Int64
	var wg sync.WaitGroup
	work := func(model, label string, mayFail ...string) {
		for {
			select {
			case <-stop:
				return
			case <-time.After(pause):
			}
			h, err := r.Acquire(model, 0, label)
			if err != nil {
				if !slices.Contains(mayFail, reason(err)) {
					t.Errorf("%s %s: %v", model, label, err)
					return
				}
				continue
			}
			if _, err := h.Model.Predict(t.Context(), image); err != nil {
				t.Error(err)
			}
			if h.Ref.Digest != h.Model.Spec().Digest || h.Ref.Name != model {
				t.Errorf("handle names %+v, its model is %q", h.Ref, h.Model.Spec().Digest)
			}
			used.Add(1)
			h.Release()
		}
	}
	for range workers {
		wg.Go(func() { work("m", "") })
		wg.Go(func() { work("m", "stable") })
	}
	wg.Go(func() { work("n", "", "MODEL_UNLOADED", "MODEL_LOADING") })
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(pause):
			}
			for _, m := range r.List() {
				if m.Name == "m" && !m.Ready() {
					t.Error("the model is listed as not ready")
				}
			}
		}
	})
	latest := 1
	for i := range rounds {
		switch i % 6 {
		case 0, 1: // a new version
			latest++
			r.put(fmt.Sprintf("m/%d", latest), fmt.Sprint("new ", i))
		case 2: // replaced in place
			r.put(fmt.Sprintf("m/%d", latest), fmt.Sprint("again ", i))
		case 3: // a broken one beside it
			r.put(fmt.Sprintf("m/%d", latest+1), fmt.Sprint("broken ", i))
			must(t, r.UnloadModel("n", 0))
		case 4: // that goes, and the label moves
			must(t, os.RemoveAll(r.path(fmt.Sprintf("m/%d", latest+1))))
			must(t, r.SetVersionLabel("m", "stable", int64(latest)))
			if _, err := r.load("n", 0); err != nil {
				t.Errorf("loading n: %v", err)
			}
		case 5: // an older one beside it, and away again
			if _, err := r.load("m", int64(latest-1)); err != nil {
				t.Errorf("loading %d: %v", latest-1, err)
			}
			must(t, r.UnloadModel("m", int64(latest-1)))
			must(t, os.RemoveAll(r.path(fmt.Sprintf("m/%d", latest-1))))
		}
		r.turn()
	}
	close(stop)
	wg.Wait()
	if n := len(r.models); n < 300 {
		t.Errorf("only %d models were opened", n)
	}
	r.wantServing("m", int64(latest), "again 398")
	t.Logf("%d uses of %d models", used.Load(), len(r.models))
}
