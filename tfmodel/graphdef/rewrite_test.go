package graphdef

import (
	"strings"
	"testing"

	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
)

func TestRewrite(t *testing.T) {
	list := nodes("Placeholder x\nErfc gelu/Erfc x\nFusedBatchNorm bn gelu/Erfc\nRelu out bn:0")
	set(list, "gelu/Erfc", "T", Type(typespb.DataType_DT_FLOAT))
	g, err := Rewrite(FromNodes(list))
	if err != nil {
		t.Fatal(err)
	}
	wantLines(t, g, `
		Placeholder x
		Const gelu/Erfc/one
		Erf gelu/Erfc/erf x
		Sub gelu/Erfc gelu/Erfc/one gelu/Erfc/erf
		FusedBatchNormV3 bn gelu/Erfc
		Relu out bn:0`)
	if one := g.Node("gelu/Erfc/one").Attr["value"].GetTensor().FloatVal; len(one) != 1 || one[0] != 1 {
		t.Errorf("the one of 1 − Erf is %v", one)
	}
	if got := g.Node("bn").Attr["U"].GetType(); got != typespb.DataType_DT_FLOAT {
		t.Errorf("the statistics of the batch normalisation have type %v", got)
	}
}

func TestRewriteRefuses(t *testing.T) {
	for op, says := range map[string]string{"If": "control flow", "StatelessWhile": "control flow", "Switch": "control flow", "Conv2D": "channels_last"} {
		list := nodes("Placeholder x\n" + op + " here x")
		set(list, "here", "data_format", text("NCHW"))
		if _, err := Rewrite(FromNodes(list)); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), `"here"`) {
			t.Errorf("%s: %v", op, err)
		}
	}
}
