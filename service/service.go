// Package service tells the story of one request, whatever protocol it came by: acquire a model, decode the image,
// make model input of it, run, explain, draw. It knows neither protobuf nor TensorFlow. Fields are named in errors as
// in the protocol explaind.v1, relative to the message that holds the image or the config.
package service

import (
	"cmp"
	"maps"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/imaging"
)

// Models is where the service finds models; package repository has them. Acquired handles are released by the service.
type Models interface {
	Acquire(name string, version int64, label string) (*explaind.Handle, error)
	List() []explaind.ModelStatus
}

// Options bound what requests may cost, alone and together. Each zero has its default.
type Options struct {
	// Images bounds encoded images by bytes and every picture by pixels; 64 MiB and 64 million pixels.
	Images imaging.Limits
	// MaxInputPixels bounds height × width of the input of models that take any size; 2 Mi, because each layer of a
	// network keeps some hundred numbers per pixel.
	MaxInputPixels int
	// MaxExplanations bounds methods × layers × targets; 256.
	MaxExplanations int
	// MaxMapPixels bounds the pixels of all maps and panels of one answer together; 64 Mi.
	MaxMapPixels int
	// MaxEvidence bounds the numbers that activations and gradients of one request take together; 128 Mi, which is
	// 512 MiB.
	MaxEvidence int
	// MaxPasses bounds the images, or activations, that the methods of one request have the model compute again; 64 Ki.
	MaxPasses int
	// MaxInFlight is how many images are worked on at once, in all requests together, those of methods with many passes not
	// counted; 4 × GOMAXPROCS, at least 16, so that the model finds rows to run together. The rest wait.
	MaxInFlight int
	// MaxQueue is how many single requests may wait for that; as many as are worked on, at least 16, so that a full queue
	// doubles the time of an answer and no more. Items of streams always wait.
	MaxQueue int
	// MaxStreams is how many streams may be open; 256.
	MaxStreams int
	// ClientInFlight is how many single requests of one client may wait or be worked on; no bound.
	ClientInFlight int
	// ClientRate is how many images a second one client may send; no bound. ClientBurst is how many of them may come at once;
	// the images of one second.
	ClientRate  float64
	ClientBurst int
}

const (
	mebi = 1 << 20
	// leastInFlight fills two runs of eight rows: while one runs, the next gathers.
	leastInFlight = 16
	leastWaiting  = 16
)

// Defaults are the bounds of a service that was given none.
func Defaults() Options { return Options{}.withDefaults() }

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		value    *int
		fallback int
	}{
		{&o.Images.MaxBytes, 64 * mebi},
		{&o.Images.MaxPixels, 64_000_000},
		{&o.MaxInputPixels, 2 * mebi},
		{&o.MaxExplanations, 256},
		{&o.MaxMapPixels, 64 * mebi},
		{&o.MaxEvidence, 128 * mebi},
		{&o.MaxPasses, 64 << 10},
		{&o.MaxInFlight, max(leastInFlight, 4*runtime.GOMAXPROCS(0))},
		{&o.MaxStreams, 256},
	} {
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	o.MaxQueue = cmp.Or(o.MaxQueue, max(leastWaiting, o.MaxInFlight))
	return o
}

// Service answers requests. All methods may be called by many goroutines at once.
type Service struct {
	models  Models
	options Options
	clients *clients
	short   *class
	long    *class              // requests that have the model run pass by pass
	turns   *semaphore.Weighted // of the long ones among each other
	cores   *semaphore.Weighted
	streams atomic.Int64 // that are open
}

// New returns a service of the models.
func New(models Models, o Options) *Service {
	o = o.withDefaults()
	return &Service{
		models: models, options: o,
		clients: newClients(o.ClientInFlight, o.ClientRate, o.ClientBurst),
		short:   newClass(o.MaxInFlight, &o), long: newClass(longTurns*longPerTurn, &o),
		turns: semaphore.NewWeighted(longTurns), cores: semaphore.NewWeighted(int64(runtime.GOMAXPROCS(0))),
	}
}

// MaxInFlight is how many images are worked on at once, in all requests together.
func (s *Service) MaxInFlight() int { return s.options.MaxInFlight }

// inPhase names the phase in which a request ended early.
func inPhase(err error, phase string) error {
	e := *explaind.AsError(err)
	e.Metadata = maps.Clone(e.Metadata)
	if e.Metadata == nil {
		e.Metadata = map[string]string{}
	}
	e.Metadata["phase"] = phase
	return &e
}

// stopwatch measures the phases of one request.
type stopwatch struct{ began, lap time.Time }

func startWatch() *stopwatch {
	now := time.Now()
	return &stopwatch{now, now}
}

// next is the time since the last call.
func (w *stopwatch) next() time.Duration {
	now := time.Now()
	d := now.Sub(w.lap)
	w.lap = now
	return d
}

func (w *stopwatch) total() time.Duration { return time.Since(w.began) }
