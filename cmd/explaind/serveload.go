package main

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/explaind/explaind/imaging"
	"github.com/explaind/explaind/service"
)

// maxMessageMiB is the largest Protocol Buffers message, 2 GiB less one byte, in whole MiB.
const maxMessageMiB = 2047

// loadFlags bound what the server takes on.
type loadFlags struct {
	maxImage, maxMsg    uint // MiB
	maxPixels, inFlight uint
	grace               time.Duration
}

func (f *loadFlags) register(flags *pflag.FlagSet) {
	flags.UintVar(&f.maxImage, "max-image-mb", 64, "largest image file, in `MiB`")
	flags.UintVar(&f.maxMsg, "max-message-mb", 64, "largest gRPC message, in `MiB`")
	flags.UintVar(&f.maxPixels, "max-pixels", 64_000_000, "largest picture, in `PIXELS`")
	flags.UintVar(&f.inFlight, "max-in-flight", 0, "`NUMBER` of images worked on at once, the rest wait; 0 for one per core")
	flags.DurationVar(&f.grace, "grace", 30*time.Second, "how long calls may go on after the stop began")
}

func (f *loadFlags) apply(c *config) error {
	for _, n := range []struct {
		flag  string
		value uint
	}{
		{"--max-image-mb", f.maxImage}, {"--max-message-mb", f.maxMsg}, {"--max-pixels", f.maxPixels},
	} {
		if n.value == 0 {
			return fmt.Errorf("%s must be at least 1", n.flag)
		}
	}
	if f.maxMsg > maxMessageMiB {
		return fmt.Errorf("--max-message-mb must be at most %d: Protocol Buffers end there", maxMessageMiB)
	}
	c.limits = service.Options{
		Images:      imaging.Limits{MaxBytes: int(f.maxImage) << 20, MaxPixels: int(f.maxPixels)},
		MaxInFlight: int(f.inFlight),
	}
	c.maxMessageBytes = int(f.maxMsg) << 20
	c.grace = f.grace
	return nil
}
