package repository

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/explaind/explaind"
)

// watch runs Load and Watch until the test ends, by the real clock.
func (r *rig) watch() {
	r.now = time.Now
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Load(ctx)
		r.Watch(ctx)
	}()
	r.t.Cleanup(func() { stop(); <-done })
}

// With looks that come once an hour only, what happens in the folders is heard of.
func TestEventsOfTheDisk(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Poll = time.Hour }, map[string]string{"m/1": "one"})
	r.watch()
	eventually(t, "it serves", func() bool { return r.states("m") == "1 READY" })
	time.Sleep(2 * debounce)
	r.put("m/2", "two")
	eventually(t, "a new version serves", func() bool { return r.states("m") == "1 UNLOADED, 2 READY" })
	r.put("n/1", "n")
	eventually(t, "a new model serves", func() bool { return r.states("n") == "1 READY" })
	r.put("n/1", "n again")
	eventually(t, "a replaced version serves", func() bool { return r.opens("n/1") == 2 })
	r.write("m/2/saved_model.pb", "2")
	eventually(t, "changed files are noticed, and then waited for", func() bool {
		r.Repository.mu.RLock()
		defer r.Repository.mu.RUnlock()
		v := r.entries["m"].versions[2]
		return v.loaded != v.print
	})
}

// Without events, as on a network's disk, looks find everything.
func TestLooksWithoutEvents(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Poll = 10 * time.Millisecond }, map[string]string{"m/1": "one"})
	r.now = time.Now
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			r.look("")
			if !r.step(ctx) {
				r.wait(ctx, nil)
			}
		}
	}()
	defer func() { stop(); <-done }()
	for i := 2; i < 6; i++ {
		r.put(fmt.Sprintf("m/%d", i), "x")
		eventually(t, "it serves", func() bool {
			h, err := r.Acquire("m", int64(i), "")
			if err == nil {
				h.Release()
			}
			return err == nil
		})
	}
	must(t, os.RemoveAll(r.path("m/5")))
	eventually(t, "the version before serves", func() bool { return r.states("m") == "1 UNLOADED, 2 UNLOADED, 3 UNLOADED, 4 READY" })
}

// What operators ask for is done at once, however rarely the folders are looked at, or if they never are.
func TestRequestsAreHeard(t *testing.T) {
	for _, poll := range []time.Duration{0, time.Hour} {
		r := newRig(t, func(o *Options) { o.Poll = poll }, map[string]string{"m/1": "one", "m/2": "two"})
		r.watch()
		if ref, err := r.LoadModel(t.Context(), "m", 1); err != nil || ref.Version != 1 {
			t.Errorf("got %+v, %v", ref, err)
		}
		must(t, r.UnloadModel("m", 2))
		eventually(t, "the older one is left", func() bool { return r.states("m") == "1 READY, 2 UNLOADED" })
	}
}

// A stop breaks off what is being loaded, and those who wait for it.
func TestStopWhileLoading(t *testing.T) {
	r := newRig(t, nil, map[string]string{"m/1": "one"})
	r.now = time.Now
	r.Load(t.Context())
	ctx, stop := context.WithCancel(t.Context())
	r.put("m/2", "two")
	r.during["m/2"] = stop
	asked := make(chan error, 1)
	go func() { _, err := r.LoadModel(context.Background(), "m", 2); asked <- err }()
	<-r.Repository.wake
	r.awaken()
	r.Watch(ctx)
	if err := <-asked; reason(err) != "SERVER_DRAINING" {
		t.Errorf("who waited got %v", err)
	}
	r.wantServing("m", 1, "one")
	var _ explaind.Model = r.models[1]
	if !r.models[1].Closed() {
		t.Error("what was loaded too late is open")
	}
}
