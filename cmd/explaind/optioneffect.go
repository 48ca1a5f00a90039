package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

var (
	noisy    = []pb.Method{pb.Method_METHOD_SMOOTH_GRAD, pb.Method_METHOD_SMOOTH_GRAD_CAM_PLUS_PLUS}
	plusPlus = []pb.Method{pb.Method_METHOD_GRAD_CAM_PLUS_PLUS, pb.Method_METHOD_GUIDED_GRAD_CAM_PLUS_PLUS}
	path     = []pb.Method{pb.Method_METHOD_INTEGRATED_GRADIENTS}
	scoreCAM = []pb.Method{pb.Method_METHOD_SCORE_CAM}
	patches  = []pb.Method{pb.Method_METHOD_OCCLUSION}
	masks    = []pb.Method{pb.Method_METHOD_RISE}
)

// optionUsers are the methods that know an option, by its flag. Options that are not here are of all methods, or are refused
// where a method does not know them.
var optionUsers = map[string][]pb.Method{
	"seed":                          slices.Concat(noisy, masks), // and of ROAD
	"grad-cam-plus-plus-form":       plusPlus,
	"noise-samples":                 noisy,
	"noise-level":                   noisy,
	"noise-statistic":               {pb.Method_METHOD_SMOOTH_GRAD},
	"integrated-gradients-steps":    path,
	"integrated-gradients-baseline": path,
	"score-cam-form":                scoreCAM,
	"score-cam-max-channels":        scoreCAM,
	"occlusion-patch":               patches,
	"occlusion-stride":              patches,
	"occlusion-baseline":            patches,
	"rise-masks":                    masks,
	"rise-grid":                     masks,
	"rise-keep":                     masks,
}

// warnOfOptions tells of the options that were given and change nothing.
func (a *app) warnOfOptions(f *optionFlags, config *pb.ExplainConfig) {
	methods := config.GetMethods()
	if len(methods) == 0 {
		methods = []pb.Method{pb.Method_METHOD_GRAD_CAM}
	}
	f.flags.Visit(func(flag *pflag.Flag) {
		users := optionUsers[flag.Name]
		used := len(users) == 0 || slices.ContainsFunc(users, func(m pb.Method) bool { return slices.Contains(methods, m) })
		switch {
		case flag.Name == "fusion" && len(config.GetLayers()) < 2:
			a.warn("--fusion fuses nothing: there is one layer only; name several by --layer")
		case used || flag.Name == "seed" && config.GetFaithfulness():
		case len(users) == 1:
			a.warn(fmt.Sprintf("--%s has no effect: %s is not among the methods", flag.Name, methodName(users[0])))
		default:
			a.warn(fmt.Sprintf("--%s has no effect: none of %s is among the methods", flag.Name, strings.Join(methodNames(users), ", ")))
		}
	})
}
