package native

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/explaind/explaind"
	pb "github.com/explaind/explaind/gen/explaind/v1"
	"github.com/explaind/explaind/service"
)

// The enums of requests and what they mean. A value that is in no table is refused; _UNSPECIFIED is the default.
var (
	methods = methodTable()
	scores  = map[pb.Score]explaind.Score{
		pb.Score_SCORE_UNSPECIFIED: explaind.ScoreLogit,
		pb.Score_SCORE_LOGIT:       explaind.ScoreLogit,
		pb.Score_SCORE_PROBABILITY: explaind.ScoreProbability,
	}
	resolutions = map[pb.Resolution]service.Resolution{
		pb.Resolution_RESOLUTION_UNSPECIFIED: service.ResolutionInput,
		pb.Resolution_RESOLUTION_LAYER:       service.ResolutionLayer,
		pb.Resolution_RESOLUTION_INPUT:       service.ResolutionInput,
		pb.Resolution_RESOLUTION_ORIGINAL:    service.ResolutionOriginal,
	}
	interpolations = map[pb.Interpolation]service.Interpolation{
		pb.Interpolation_INTERPOLATION_UNSPECIFIED:  service.Bilinear,
		pb.Interpolation_INTERPOLATION_BILINEAR:     service.Bilinear,
		pb.Interpolation_INTERPOLATION_CUBIC_SPLINE: service.CubicSpline,
	}
	colormaps = map[pb.Colormap]service.Colormap{
		pb.Colormap_COLORMAP_UNSPECIFIED: service.Jet,
		pb.Colormap_COLORMAP_JET:         service.Jet,
		pb.Colormap_COLORMAP_VIRIDIS:     service.Viridis,
		pb.Colormap_COLORMAP_TURBO:       service.Turbo,
		pb.Colormap_COLORMAP_MAGMA:       service.Magma,
	}
	fusions = map[pb.Fusion]explaind.Fusion{
		pb.Fusion_FUSION_UNSPECIFIED: explaind.FusionNone,
		pb.Fusion_FUSION_MEAN:        explaind.FusionMean,
		pb.Fusion_FUSION_MAX:         explaind.FusionMax,
		pb.Fusion_FUSION_PRODUCT:     explaind.FusionProduct,
	}
	plusPlusForms = map[pb.GradCamPlusPlusForm]explaind.PlusPlusForm{
		pb.GradCamPlusPlusForm_GRAD_CAM_PLUS_PLUS_FORM_UNSPECIFIED:  explaind.PlusPlusExponential,
		pb.GradCamPlusPlusForm_GRAD_CAM_PLUS_PLUS_FORM_EXPONENTIAL:  explaind.PlusPlusExponential,
		pb.GradCamPlusPlusForm_GRAD_CAM_PLUS_PLUS_FORM_SOFTMAX:      explaind.PlusPlusSoftmax,
		pb.GradCamPlusPlusForm_GRAD_CAM_PLUS_PLUS_FORM_AUTHORS_CODE: explaind.PlusPlusAuthorsCode,
	}
	noiseStatistics = map[pb.NoiseStatistic]explaind.NoiseStatistic{
		pb.NoiseStatistic_NOISE_STATISTIC_UNSPECIFIED: explaind.NoiseMean,
		pb.NoiseStatistic_NOISE_STATISTIC_MEAN:        explaind.NoiseMean,
		pb.NoiseStatistic_NOISE_STATISTIC_VARIANCE:    explaind.NoiseVariance,
		pb.NoiseStatistic_NOISE_STATISTIC_SQUARE:      explaind.NoiseSquare,
	}
	scoreCAMForms = map[pb.ScoreCamForm]explaind.ScoreCAMForm{
		pb.ScoreCamForm_SCORE_CAM_FORM_UNSPECIFIED:   explaind.ScoreCAMPaper,
		pb.ScoreCamForm_SCORE_CAM_FORM_PAPER:         explaind.ScoreCAMPaper,
		pb.ScoreCamForm_SCORE_CAM_FORM_OFFICIAL_CODE: explaind.ScoreCAMOfficialCode,
	}
	baselines = map[pb.Baseline]explaind.Baseline{
		pb.Baseline_BASELINE_UNSPECIFIED: explaind.BaselineZero,
		pb.Baseline_BASELINE_ZERO:        explaind.BaselineZero,
		pb.Baseline_BASELINE_BLACK:       explaind.BaselineBlack,
		pb.Baseline_BASELINE_MEAN:        explaind.BaselineMean,
		pb.Baseline_BASELINE_BLUR:        explaind.BaselineBlur,
	}
	// A tensor without a known type is refused by the service.
	dtypes = map[pb.DataType]service.DType{
		pb.DataType_DATA_TYPE_FLOAT32: service.Float32,
		pb.DataType_DATA_TYPE_UINT8:   service.UInt8,
	}
)

// The enums of answers.
var (
	methodNames = inverse(methods)
	flags       = map[explaind.Flag]pb.Flag{
		explaind.FlagAllNonPositive:   pb.Flag_FLAG_ALL_NON_POSITIVE,
		explaind.FlagFlat:             pb.Flag_FLAG_FLAT,
		explaind.FlagSaturatedScore:   pb.Flag_FLAG_SATURATED_SCORE,
		explaind.FlagNonFinite:        pb.Flag_FLAG_NON_FINITE,
		explaind.FlagZeroAlphaChannel: pb.Flag_FLAG_ZERO_ALPHA_CHANNEL,
		explaind.FlagGuardedPole:      pb.Flag_FLAG_GUARDED_POLE,
	}
	states = map[explaind.ModelState]pb.ModelState{
		explaind.ModelLoading:   pb.ModelState_MODEL_STATE_LOADING,
		explaind.ModelReady:     pb.ModelState_MODEL_STATE_READY,
		explaind.ModelFailed:    pb.ModelState_MODEL_STATE_FAILED,
		explaind.ModelUnloading: pb.ModelState_MODEL_STATE_UNLOADING,
		explaind.ModelUnloaded:  pb.ModelState_MODEL_STATE_UNLOADED,
	}
)

// methodTable reads the methods off the protocol: METHOD_GRAD_CAM is grad_cam. That each of them exists is tested.
func methodTable() map[pb.Method]explaind.Method {
	table := map[pb.Method]explaind.Method{pb.Method_METHOD_UNSPECIFIED: explaind.DefaultMethod}
	for number, name := range pb.Method_name {
		if number != 0 {
			table[pb.Method(number)] = explaind.Method(strings.ToLower(strings.TrimPrefix(name, "METHOD_")))
		}
	}
	return table
}

// inverse leaves _UNSPECIFIED out: answers say what was done.
func inverse[P ~int32, D comparable](table map[P]D) map[D]P {
	out := map[D]P{}
	for p, d := range table {
		if p != 0 {
			out[d] = p
		}
	}
	return out
}

// meaning looks an enum's value up. The error is an InvalidArgument that names the field and lists the values.
func meaning[P interface {
	~int32
	protoreflect.Enum
}, D any](field string, value P, table map[P]D) (D, error) {
	d, found := table[value]
	if found {
		return d, nil
	}
	enum := value.Descriptor()
	var known []string
	for p := range table {
		if p != 0 {
			known = append(known, string(enum.Values().ByNumber(protoreflect.EnumNumber(p)).Name()))
		}
	}
	slices.Sort(known)
	name := strings.TrimSuffix(string(enum.Values().ByNumber(0).Name()), "_UNSPECIFIED")
	return d, explaind.FieldError(field, "UNKNOWN_"+name, "%s is not known to this server; choose among %s", valueName(value), strings.Join(known, ", "))
}

// valueName is the value's name, or its number if this server's protocol has none for it.
func valueName(e protoreflect.Enum) string {
	if v := e.Descriptor().Values().ByNumber(e.Number()); v != nil {
		return string(v.Name())
	}
	return fmt.Sprintf("%s %d", e.Descriptor().Name(), e.Number())
}
