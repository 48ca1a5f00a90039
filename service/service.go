// Package service tells the story of one request, whatever protocol it came by: acquire a model, decode the image,
// make model input of it, run, explain, draw. It knows neither protobuf nor TensorFlow. Fields are named in errors as
// in the protocol explaind.v1, relative to the message that holds the image or the config.
package service

import (
	"runtime"
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

// Options bound what one request may cost. Each zero has its default.
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
	// MaxInFlight is how many images are worked on at once, in all requests together; GOMAXPROCS. The rest wait.
	MaxInFlight int
}

const mebi = 1 << 20

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
		{&o.MaxInFlight, runtime.GOMAXPROCS(0)},
	} {
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	return o
}

// Service answers requests. All methods may be called by many goroutines at once.
type Service struct {
	models  Models
	options Options
	places  *semaphore.Weighted
	long    *semaphore.Weighted // of those requests that step aside between their passes
	turns   *semaphore.Weighted // of the long ones among each other
}

// New returns a service of the models.
func New(models Models, o Options) *Service {
	o = o.withDefaults()
	most := int64(o.MaxInFlight)
	return &Service{models: models, options: o, places: semaphore.NewWeighted(most), long: semaphore.NewWeighted(longPerPlace * most), turns: semaphore.NewWeighted(most)}
}

// longPerPlace is how many requests that step aside there may be for each place. They take turns, so that a few of thousands
// of passes do not keep out all others; each holds its image and evidence meanwhile.
const longPerPlace = 4

// MaxInFlight is how many images are worked on at once, in all requests together.
func (s *Service) MaxInFlight() int { return s.options.MaxInFlight }

// inPhase names the phase in which a deadline passed.
func inPhase(err error, phase string) error {
	e := *explaind.AsError(err)
	e.Metadata = map[string]string{"phase": phase}
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
