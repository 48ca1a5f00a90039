package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/explaind/explaind/repository"
)

// modelSetFlags say which models are served, in which versions, and who may change that.
type modelSetFlags struct {
	folders, named []string
	policies       []string
	poll           time.Duration
	admin          bool
	written        []repository.ModelConfig // by the configuration file, under models
}

func (f *modelSetFlags) register(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.folders, "models", nil, "`DIR` that holds models, or is one; may be repeated")
	flags.StringArrayVar(&f.named, "model", nil, "`NAME=DIR`: one model under a name of its own; may be repeated")
	flags.StringArrayVar(&f.policies, "version-policy", []string{"latest"}, "`VERSIONS` to serve: latest, latest=N, all or specific=N,…; NAME:VERSIONS for one model; may be repeated")
	flags.DurationVar(&f.poll, "poll-interval", time.Second, "`TIME` between two looks at the folders of models for changes; 0 for no second look")
	flags.BoolVar(&f.admin, "admin", false, "let callers load, unload and label models (explaind.v1.ModelAdminService)")
}

func (f *modelSetFlags) apply(c *config) error {
	var bad problems
	if f.poll < 0 || f.poll > 0 && f.poll < minPoll {
		bad.add(fmt.Errorf("--poll-interval %v is too short; it must be at least %v, or 0 for never", f.poll, minPoll))
	}
	c.admin = f.admin
	c.models = repository.Options{Poll: f.poll, Roots: f.folders}
	bad.add(f.checkFolders())
	for _, s := range f.named {
		source, err := repository.ParseSource(s)
		if err != nil {
			bad.add(fmt.Errorf("--model %s: %w", s, err))
		}
		c.models.Models = append(c.models.Models, repository.ModelConfig{Name: source.Name, Path: source.Dir})
	}
	c.models.Models = append(c.models.Models, f.written...)
	if len(c.models.Roots)+len(c.models.Models) == 0 {
		bad.add(errNoModels)
	}
	for _, s := range f.policies {
		if err := setPolicy(&c.models, s); err != nil {
			bad.add(fmt.Errorf("--version-policy %s: %w", s, err))
		}
	}
	return bad.err()
}

var errNoModels = errors.New("there is no model to serve; name a folder by --models DIR, or one model by --model NAME=DIR")

// minPoll is the shortest time between two looks at all folders.
const minPoll = 10 * time.Millisecond

// checkFolders looks at the folders of models once, before the server starts. An empty one is waited for, if models that
// appear in it are noticed.
func (f *modelSetFlags) checkFolders() error {
	var bad problems
	for _, dir := range f.folders {
		check := repository.CheckRoot
		if f.poll == 0 && !f.admin {
			check = func(dir string) (bool, error) { _, err := repository.Scan(dir); return false, err }
		}
		if _, err := check(dir); err != nil {
			bad.add(fmt.Errorf("--models %s: %w", dir, err))
		}
	}
	return bad.err()
}

// setPolicy takes in one --version-policy: for all models, or for that of a name, which must then have no other.
func setPolicy(o *repository.Options, s string) (err error) {
	name, text, one := strings.Cut(s, ":")
	if !one {
		o.Policy, err = repository.ParsePolicy(s)
		return err
	}
	policy, err := repository.ParsePolicy(text)
	if err != nil {
		return err
	}
	for i := range o.Models {
		if o.Models[i].Name == name {
			if o.Models[i].Policy != nil {
				return fmt.Errorf("model %q has a version policy already", name)
			}
			o.Models[i].Policy = &policy
			return nil
		}
	}
	o.Models = append(o.Models, repository.ModelConfig{Name: name, Policy: &policy})
	return nil
}
