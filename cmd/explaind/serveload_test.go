package main

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func loadConfig(args ...string) (c config, err error) {
	var f loadFlags
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	f.register(flags)
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	return c, f.apply(&c)
}

// Each number that makes no sense is refused by the name of its flag.
func TestLoadFlagsThatMakeNoSense(t *testing.T) {
	for _, args := range [][]string{
		{"--max-message-mb=0"}, {"--max-message-mb=2048"}, {"--max-message-mb=-1"}, {"--max-image-mb=0"}, {"--max-image-mb=4096"},
		{"--max-pixels=0"}, {"--max-pixels=18446744073709551615"}, {"--max-input-pixels=0"}, {"--max-explanations=0"},
		{"--max-map-pixels=0"}, {"--max-evidence=0"}, {"--max-evidence=9223372036854775807"}, {"--max-passes=0"},
		{"--max-in-flight=-1"}, {"--max-in-flight=9999999"}, {"--max-queue=-1"}, {"--max-queue=9999999"}, {"--max-streams=0"},
		{"--max-client-in-flight=-5"}, {"--max-client-in-flight=9999999"}, {"--max-client-rate=-1"}, {"--max-client-rate=NaN"},
		{"--max-client-rate=Inf"}, {"--max-client-rate=fast"}, {"--max-client-burst=7"}, {"--max-client-burst=9999999", "--max-client-rate=1"},
		{"--max-batch=0"}, {"--max-batch=9999999"}, {"--max-runs=9999999"}, {"--drain-delay=-1s"}, {"--grace=-1s"}, {"--grace=5"},
	} {
		_, err := loadConfig(args...)
		if name, _, _ := strings.Cut(args[0], "="); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestLoadFlags(t *testing.T) {
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	if o := c.limits; o.Images.MaxBytes != 64<<20 || o.Images.MaxPixels != 64_000_000 || o.MaxPasses != 1<<16 || o.MaxInFlight != 0 || o.MaxQueue != 0 || o.MaxStreams != 256 || o.ClientRate != 0 ||
		c.maxMessageBytes != 64<<20 || c.drainDelay != 0 || c.grace != 30*time.Second {
		t.Errorf("by default %+v, %d, %v", o, c.maxMessageBytes, c.grace)
	}
	c, err = loadConfig("--max-message-mb=8", "--max-image-mb=4", "--max-pixels=1", "--max-input-pixels=2", "--max-explanations=3", "--max-map-pixels=4", "--max-evidence=5",
		"--max-passes=6", "--max-in-flight=7", "--max-queue=8", "--max-streams=9", "--max-client-in-flight=10", "--max-client-rate=0.5", "--max-client-burst=11", "--drain-delay=5s", "--grace=0s")
	if err != nil {
		t.Fatal(err)
	}
	if o := c.limits; o.Images.MaxBytes != 4<<20 || o.Images.MaxPixels != 1 || o.MaxInputPixels != 2 || o.MaxExplanations != 3 || o.MaxMapPixels != 4 || o.MaxEvidence != 5 || o.MaxPasses != 6 ||
		o.MaxInFlight != 7 || o.MaxQueue != 8 || o.MaxStreams != 9 || o.ClientInFlight != 10 || o.ClientRate != 0.5 || o.ClientBurst != 11 || c.maxMessageBytes != 8<<20 || c.drainDelay != 5*time.Second || c.grace != 0 {
		t.Errorf("%+v, %d, %v", o, c.maxMessageBytes, c.grace)
	}
}
