package main

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/pflag"
)

// telemetryFlags say what the server tells about its work.
type telemetryFlags struct {
	logFormat, logLevel string
}

func (f *telemetryFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.logFormat, "log-format", "text", "`FORMAT` of the log, text or json")
	flags.StringVar(&f.logLevel, "log-level", "info", "least `LEVEL` that is logged: debug, info, warn or error")
}

func (f *telemetryFlags) apply(c *config, stderr io.Writer) (err error) {
	c.log, err = newLogger(f.logFormat, f.logLevel, stderr)
	return err
}

func newLogger(format, level string, to io.Writer) (*slog.Logger, error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q is not known; choose among debug, info, warn, error", level)
	}
	options := &slog.HandlerOptions{Level: least}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(to, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(to, options)), nil
	default:
		return nil, fmt.Errorf("--log-format %q is not known; choose text or json", format)
	}
}
