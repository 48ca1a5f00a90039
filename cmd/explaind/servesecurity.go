package main

import "github.com/spf13/pflag"

// securityFlags say who may call.
type securityFlags struct{}

func (f *securityFlags) register(flags *pflag.FlagSet) {}

func (f *securityFlags) apply(c *config) error { return nil }
