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
	methods = map[pb.Method]explaind.Method{
		pb.Method_METHOD_UNSPECIFIED:                explaind.DefaultMethod,
		pb.Method_METHOD_CAM:                        explaind.MethodCAM,
		pb.Method_METHOD_GRAD_CAM:                   explaind.MethodGradCAM,
		pb.Method_METHOD_GRAD_CAM_PLUS_PLUS:         explaind.MethodGradCAMPlusPlus,
		pb.Method_METHOD_ARTICLE_CAM:                explaind.MethodArticleCAM,
		pb.Method_METHOD_ARTICLE_GRAD_CAM:           explaind.MethodArticleGradCAM,
		pb.Method_METHOD_ARTICLE_GRAD_CAM_PLUS_PLUS: explaind.MethodArticleGradCAMPlusPlus,
	}
	scores = map[pb.Score]explaind.Score{
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
	}
	states = map[explaind.ModelState]pb.ModelState{
		explaind.ModelLoading: pb.ModelState_MODEL_STATE_LOADING,
		explaind.ModelReady:   pb.ModelState_MODEL_STATE_READY,
		explaind.ModelFailed:  pb.ModelState_MODEL_STATE_FAILED,
	}
)

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
	name := strings.ToUpper(string(enum.Name()))
	return d, explaind.FieldError(field, "UNKNOWN_"+name, "%s is not known to this server; choose among %s", valueName(value), strings.Join(known, ", "))
}

// valueName is the value's name, or its number if this server's protocol has none for it.
func valueName(e protoreflect.Enum) string {
	if v := e.Descriptor().Values().ByNumber(e.Number()); v != nil {
		return string(v.Name())
	}
	return fmt.Sprintf("%s %d", e.Descriptor().Name(), e.Number())
}
