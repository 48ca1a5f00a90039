package main

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/explaind/explaind/repository"
)

// modelSetFlags say which models are served.
type modelSetFlags struct {
	folders, named []string
}

func (f *modelSetFlags) register(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.folders, "models", nil, "`DIR` that holds models, or is one; may be repeated")
	flags.StringArrayVar(&f.named, "model", nil, "`NAME=DIR`: one model under a name of its own; may be repeated")
}

func (f *modelSetFlags) apply(c *config) (err error) {
	c.sources, err = findSources(f.folders, f.named)
	return err
}

func findSources(folders, named []string) ([]repository.Source, error) {
	var sources []repository.Source
	for _, dir := range folders {
		found, err := repository.Scan(dir)
		if err != nil {
			return nil, fmt.Errorf("--models %s: %w", dir, err)
		}
		sources = append(sources, found...)
	}
	for _, s := range named {
		source, err := repository.ParseSource(s)
		if err != nil {
			return nil, fmt.Errorf("--model %s: %w", s, err)
		}
		sources = append(sources, source)
	}
	if len(sources) == 0 {
		return nil, errors.New("there is no model to serve; name a folder by --models DIR, or one model by --model NAME=DIR")
	}
	return sources, nil
}
