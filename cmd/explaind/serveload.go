package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/explaind/explaind/batch"
	"github.com/explaind/explaind/imaging"
	"github.com/explaind/explaind/service"
	"github.com/explaind/explaind/service/grpcserver"
)

// maxMessageMiB is the largest Protocol Buffers message, 2 GiB less one byte, in whole MiB.
const maxMessageMiB = 2047

// loadFlags bound what the server takes on.
type loadFlags struct {
	maxImage, maxMessage                                  uint // MiB
	maxPixels, maxInputPixels                             uint
	maxExplanations, maxMapPixels, maxEvidence, maxPasses uint
	inFlight, queue, streams                              uint
	clientInFlight, clientBurst                           uint
	clientRate                                            float64
	maxBatch, maxRuns                                     uint
	drainDelay, grace                                     time.Duration
}

func (f *loadFlags) register(flags *pflag.FlagSet) {
	o := service.Defaults()
	number := func(to *uint, name string, value int, usage string) { flags.UintVar(to, name, uint(value), usage) }
	number(&f.maxMessage, "max-message-mb", grpcserver.DefaultMaxMessageBytes>>20, "largest gRPC message, in `MiB`")
	number(&f.maxImage, "max-image-mb", o.Images.MaxBytes>>20, "largest image file, in `MiB`")
	number(&f.maxPixels, "max-pixels", o.Images.MaxPixels, "largest picture, in `PIXELS`; all pictures under way have twice that together")
	number(&f.maxInputPixels, "max-input-pixels", o.MaxInputPixels, "largest input of models that take any size, in `PIXELS`")
	number(&f.maxExplanations, "max-explanations", o.MaxExplanations, "largest `NUMBER` of methods × layers × targets of one image")
	number(&f.maxMapPixels, "max-map-pixels", o.MaxMapPixels, "largest number of `PIXELS` in all maps and panels of one answer")
	number(&f.maxEvidence, "max-evidence", o.MaxEvidence, "largest `NUMBER` of activations and gradients that one image is explained by, 4 bytes each")
	number(&f.maxPasses, "max-passes", o.MaxPasses, "largest `NUMBER` of further images that methods have the model compute for one image")
	number(&f.inFlight, "max-in-flight", 0, "`NUMBER` of images worked on at once, the rest wait; 0 for four per core, at least 16")
	number(&f.queue, "max-queue", 0, "`NUMBER` of single requests that may wait, the rest are refused; 0 for as many as are worked on, at least 16")
	number(&f.streams, "max-streams", o.MaxStreams, "`NUMBER` of streams that may be open")
	number(&f.clientInFlight, "max-client-in-flight", 0, "`NUMBER` of single requests of one client that may wait or be worked on; 0 for no bound")
	flags.Float64Var(&f.clientRate, "max-client-rate", 0, "`IMAGES` a second that one client may send; 0 for no bound")
	number(&f.clientBurst, "max-client-burst", 0, "`NUMBER` of images that one client may send at once, where --max-client-rate bounds them; 0 for those of one second")
	flags.UintVar(&f.maxBatch, "max-batch", 8, "`NUMBER` of images of several requests that a model computes together while it is busy; 1 for each alone")
	flags.UintVar(&f.maxRuns, "max-runs", 0, "`NUMBER` of computations of one model at once; 0 for one for every eight cores, at least two")
	flags.DurationVar(&f.drainDelay, "drain-delay", 0, "`TIME` that calls are still taken when the server is no longer ready, until balancers have heard of it")
	flags.DurationVar(&f.grace, "grace", 30*time.Second, "`TIME` that calls may go on after the stop began")
}

// Beyond these a number is a slip of the hand, or would overflow what is computed from it.
const (
	manyPixels   = 1 << 40
	manyRequests = 1 << 20
)

func (f *loadFlags) apply(c *config) error {
	for _, n := range []struct {
		flag        string
		value       uint
		least, most uint
	}{
		{"--max-message-mb", f.maxMessage, 1, maxMessageMiB}, // Protocol Buffers end there
		{"--max-image-mb", f.maxImage, 1, maxMessageMiB},
		{"--max-pixels", f.maxPixels, 1, manyPixels},
		{"--max-input-pixels", f.maxInputPixels, 1, manyPixels},
		{"--max-explanations", f.maxExplanations, 1, manyRequests},
		{"--max-map-pixels", f.maxMapPixels, 1, manyPixels},
		{"--max-evidence", f.maxEvidence, 1, manyPixels},
		{"--max-passes", f.maxPasses, 1, manyPixels},
		{"--max-in-flight", f.inFlight, 0, manyRequests},
		{"--max-queue", f.queue, 0, manyRequests},
		{"--max-streams", f.streams, 1, manyRequests},
		{"--max-client-in-flight", f.clientInFlight, 0, manyRequests},
		{"--max-client-burst", f.clientBurst, 0, manyRequests},
		{"--max-batch", f.maxBatch, 1, manyRequests},
		{"--max-runs", f.maxRuns, 0, manyRequests},
	} {
		if n.value < n.least {
			return fmt.Errorf("%s must be at least %d", n.flag, n.least)
		}
		if n.value > n.most {
			return fmt.Errorf("%s must be at most %d, got %d", n.flag, n.most, n.value)
		}
	}
	switch {
	case f.drainDelay < 0:
		return fmt.Errorf("--drain-delay must not be negative, got %v", f.drainDelay)
	case f.grace < 0:
		return fmt.Errorf("--grace must not be negative, got %v; give 0 to cut calls off at once", f.grace)
	case !(f.clientRate >= 0 && f.clientRate <= manyRequests): // NaN is neither
		return fmt.Errorf("--max-client-rate must be from 0 to %d images a second, got %v", manyRequests, f.clientRate)
	case f.clientBurst > 0 && f.clientRate == 0:
		return errors.New("--max-client-burst has no effect without --max-client-rate; give both")
	}
	c.limits = service.Options{
		Images:         imaging.Limits{MaxBytes: int(f.maxImage) << 20, MaxPixels: int(f.maxPixels)},
		MaxInputPixels: int(f.maxInputPixels), MaxExplanations: int(f.maxExplanations), MaxMapPixels: int(f.maxMapPixels),
		MaxEvidence: int(f.maxEvidence), MaxPasses: int(f.maxPasses),
		MaxInFlight: int(f.inFlight), MaxQueue: int(f.queue), MaxStreams: int(f.streams),
		ClientInFlight: int(f.clientInFlight), ClientRate: f.clientRate, ClientBurst: int(f.clientBurst),
	}
	c.batch = batch.Options{MaxRows: int(f.maxBatch), MaxRuns: int(f.maxRuns)}
	c.maxMessageBytes = int(f.maxMessage) << 20
	c.drainDelay, c.grace = f.drainDelay, f.grace
	return nil
}
