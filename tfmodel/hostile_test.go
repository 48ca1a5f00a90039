package tfmodel_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	corepb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"

	"github.com/explaind/explaind"
	"github.com/explaind/explaind/tfmodel"
)

// compileHere makes this test binary compile a model: the folder, a colon and the cache.
const compileHere = "TFMODEL_TEST_COMPILE"

func TestMain(m *testing.M) {
	dir, cache, compiles := strings.Cut(os.Getenv(compileHere), ":")
	if !compiles {
		os.Exit(m.Run())
	}
	_, err := tfmodel.Compile(context.Background(), dir, tfmodel.WithCacheDir(cache))
	if err == nil {
		return
	}
	e := explaind.AsError(err)
	if err := json.NewEncoder(os.Stdout).Encode(explaind.Error{Code: e.Code, Reason: e.Reason, Message: e.Message}); err != nil {
		panic(err)
	}
	os.Exit(1)
}

// crashed is the error of a compiler that did not live to tell.
type crashed struct{ state, said string }

func (c crashed) Error() string { return c.state + ": " + c.said }

// inChild compiles in a process of its own.
func inChild(ctx context.Context, dir, cache string) error {
	c := exec.CommandContext(ctx, "/proc/self/exe")
	c.Env = append(os.Environ(), compileHere+"="+dir+":"+cache, "GOTRACEBACK=none")
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out, said bytes.Buffer
	c.Stdout, c.Stderr = &out, &said
	err := c.Run()
	if err == nil {
		return nil
	}
	e := new(explaind.Error)
	if json.Unmarshal(out.Bytes(), e) == nil {
		return e
	}
	return crashed{err.Error(), said.String()}
}

// detour leads the network's features through the sum of all that a node makes, of which the constants are the inputs.
func detour(m *corepb.MetaGraphDef, rank int, op string, attrs map[string]*attrpb.AttrValue, inputs ...*tensorpb.TensorProto) {
	f := body(m)
	evil := &nodepb.NodeDef{Name: "evil", Op: op, Attr: attrs}
	for i, t := range inputs {
		name := fmt.Sprintf("evil/input_%d", i)
		f.NodeDef = append(f.NodeDef, constant(name, t))
		evil.Input = append(evil.Input, name+":output:0")
	}
	axes := make([]int32, rank)
	for i := range axes {
		axes[i] = int32(i)
	}
	f.NodeDef = append(f.NodeDef, evil, constant("evil/axes", ints(axes...)),
		&nodepb.NodeDef{Name: "evil/sum", Op: "Sum", Input: []string{"evil:output:0", "evil/axes:output:0"}, Attr: map[string]*attrpb.AttrValue{
			"T": dtype(typespb.DataType_DT_FLOAT), "Tidx": dtype(typespb.DataType_DT_INT32)}},
		&nodepb.NodeDef{Name: "evil/add", Op: "AddV2", Input: []string{"conv2/Relu:activations:0", "evil/sum:output:0"}, Attr: map[string]*attrpb.AttrValue{
			"T": dtype(typespb.DataType_DT_FLOAT)}})
	inBody(m, "conv3/Conv2D").Input[0] = "evil/add:z:0"
}

func constant(name string, t *tensorpb.TensorProto) *nodepb.NodeDef {
	return &nodepb.NodeDef{Name: name, Op: "Const", Attr: map[string]*attrpb.AttrValue{
		"dtype": dtype(t.Dtype), "value": {Value: &attrpb.AttrValue_Tensor{Tensor: t}}}}
}

func dtype(t typespb.DataType) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: t}}
}

func ints(values ...int32) *tensorpb.TensorProto {
	return &tensorpb.TensorProto{Dtype: typespb.DataType_DT_INT32, TensorShape: shape(int64(len(values))), IntVal: values}
}

func float(value float32) *tensorpb.TensorProto {
	return &tensorpb.TensorProto{Dtype: typespb.DataType_DT_FLOAT, TensorShape: shape(), FloatVal: []float32{value}}
}

func word(s string) *tensorpb.TensorProto {
	return &tensorpb.TensorProto{Dtype: typespb.DataType_DT_STRING, TensorShape: shape(), StringVal: [][]byte{[]byte(s)}}
}

type attrs = map[string]*attrpb.AttrValue

var floats, integers = dtype(typespb.DataType_DT_FLOAT), dtype(typespb.DataType_DT_INT32)

// hostility is what a model wants to do.
type hostility struct {
	arm    func(m *corepb.MetaGraphDef)
	reason string // "" where TensorFlow may refuse it, or end the process, as it likes
	says   string
}

// hostile are models that want to do harm. Each is compiled in a process of its own, as a server does it; some would write
// a file.
func hostile(dropped string) map[string]hostility {
	return map[string]hostility{
		"a fill of 400 TB": {func(m *corepb.MetaGraphDef) {
			detour(m, 3, "Fill", attrs{"T": floats, "index_type": integers}, ints(1<<16, 1<<16, 1<<15), float(1))
		}, "", ""},
		"a fill that overflows": {func(m *corepb.MetaGraphDef) {
			detour(m, 3, "Fill", attrs{"T": floats, "index_type": integers}, ints(1<<30, 1<<30, 1<<30), float(1))
		}, "", ""},
		"a fill of negative size": {func(m *corepb.MetaGraphDef) {
			detour(m, 2, "Fill", attrs{"T": floats, "index_type": integers}, ints(-3, 5), float(1))
		}, "", ""},
		"random numbers": {func(m *corepb.MetaGraphDef) {
			detour(m, 3, "RandomUniform", attrs{"dtype": floats, "T": integers}, ints(1<<16, 1<<16, 1<<15))
		}, "", ""},
		"a broadcast": {func(m *corepb.MetaGraphDef) {
			detour(m, 3, "BroadcastTo", attrs{"T": floats, "Tidx": integers}, float(1), ints(1<<16, 1<<16, 1<<15))
		}, "", ""},
		"an impossible reshape": {func(m *corepb.MetaGraphDef) {
			detour(m, 2, "Reshape", attrs{"T": floats, "Tshape": integers}, float(1), ints(1<<30, -7))
		}, "", ""},
		"a constant that claims too much": {func(m *corepb.MetaGraphDef) {
			t := float(1)
			t.TensorShape = shape(1<<40, 1<<40)
			detour(m, 2, "Identity", attrs{"T": floats}, t)
		}, "", ""},
		"a constant of negative size": {func(m *corepb.MetaGraphDef) {
			t := float(1)
			t.TensorShape = shape(-5, 2)
			detour(m, 2, "Identity", attrs{"T": floats}, t)
		}, "", ""},
		"a variable that claims too much": {func(m *corepb.MetaGraphDef) {
			top(m, "conv2/weights").Attr["shape"].GetShape().Dim[0].Size = 1 << 62
		}, "", ""},
		"a type that is none": {func(m *corepb.MetaGraphDef) { inBody(m, "conv2/Conv2D").Attr["T"] = dtype(9999) }, "", ""},
		"strides without end": {func(m *corepb.MetaGraphDef) { inBody(m, "conv2/Conv2D").Attr["strides"] = list(1, 1<<62, 1<<62, 1) }, "", ""},
		"negative dilations":  {func(m *corepb.MetaGraphDef) { inBody(m, "conv2/Conv2D").Attr["dilations"] = list(1, -3, -3, 1) }, "", ""},
		"paddings without end": {func(m *corepb.MetaGraphDef) {
			n := inBody(m, "conv2/Conv2D")
			n.Attr["padding"], n.Attr["explicit_paddings"] = text("EXPLICIT"), list(0, 0, 1<<40, 1<<40, 1<<40, 1<<40, 0, 0)
		}, "", ""},
		"reads a file": {func(m *corepb.MetaGraphDef) {
			f := body(m)
			f.NodeDef = append(f.NodeDef, constant("secret/name", word("/etc/passwd")),
				&nodepb.NodeDef{Name: "secret", Op: "ReadFile", Input: []string{"secret/name:output:0"}},
				&nodepb.NodeDef{Name: "secret/length", Op: "StringLength", Input: []string{"secret:contents:0"}},
				&nodepb.NodeDef{Name: "secret/number", Op: "Cast", Input: []string{"secret/length:output:0"}, Attr: attrs{"SrcT": integers, "DstT": floats}},
				&nodepb.NodeDef{Name: "secret/add", Op: "AddV2", Input: []string{"conv2/Relu:activations:0", "secret/number:y:0"}, Attr: attrs{"T": floats}})
			inBody(m, "conv3/Conv2D").Input[0] = "secret/add:z:0"
		}, "OPERATION_REFUSED", "ReadFile"},
		"runs Python": {func(m *corepb.MetaGraphDef) {
			f := body(m)
			f.NodeDef = append(f.NodeDef, &nodepb.NodeDef{Name: "script", Op: "PyFunc", Input: []string{"conv2/Relu:activations:0"}, Attr: attrs{
				"token": text("x"), "Tin": types(typespb.DataType_DT_FLOAT), "Tout": types(typespb.DataType_DT_FLOAT)}})
			inBody(m, "conv3/Conv2D").Input[0] = "script:output:0"
		}, "OPERATION_REFUSED", "PyFunc"},
		"waits for ever": {func(m *corepb.MetaGraphDef) {
			f := body(m)
			f.NodeDef = append(f.NodeDef, &nodepb.NodeDef{Name: "never", Op: "Unstage", Attr: attrs{"dtypes": types(typespb.DataType_DT_FLOAT)}},
				&nodepb.NodeDef{Name: "never/add", Op: "AddV2", Input: []string{"conv2/Relu:activations:0", "never:values:0"}, Attr: attrs{"T": floats}})
			inBody(m, "conv3/Conv2D").Input[0] = "never/add:z:0"
		}, "OPERATION_REFUSED", "Unstage"},
		"writes a file while it is restored": {func(m *corepb.MetaGraphDef) {
			m.GraphDef.Node = append(m.GraphDef.Node, constant("drop/name", word(dropped)), constant("drop/data", word("x")),
				&nodepb.NodeDef{Name: "drop", Op: "WriteFile", Input: []string{"drop/name", "drop/data"}})
			restore := top(m, m.GetSaverDef().GetRestoreOpName())
			restore.Input = append(restore.Input, "^drop")
		}, "OPERATION_REFUSED", "WriteFile"},
		"writes a file when a weight is read": {func(m *corepb.MetaGraphDef) {
			m.GraphDef.Node = append(m.GraphDef.Node, constant("drop/name", word(dropped)), constant("drop/data", word("x")),
				&nodepb.NodeDef{Name: "drop", Op: "WriteFile", Input: []string{"drop/name", "drop/data"}})
			for _, n := range m.GraphDef.Node {
				if n.Op == "ReadVariableOp" {
					n.Input = append(n.Input, "^drop")
				}
			}
		}, "OPERATION_REFUSED", "WriteFile"},
		"writes a file when it is initialised": {func(m *corepb.MetaGraphDef) {
			m.GraphDef.Node = append(m.GraphDef.Node, constant("drop/name", word(dropped)), constant("drop/data", word("x")),
				&nodepb.NodeDef{Name: "drop", Op: "WriteFile", Input: []string{"drop/name", "drop/data"}})
			m.SignatureDef["__saved_model_init_op"] = &corepb.SignatureDef{Outputs: map[string]*corepb.TensorInfo{"__saved_model_init_op": {Encoding: named("drop")}}}
		}, "OPERATION_REFUSED", "WriteFile"},
	}
}

// Whatever a model wants to do, whoever opens it lives on and is told.
func TestHostile(t *testing.T) {
	dropped := filepath.Join(t.TempDir(), "dropped")
	for what, c := range hostile(dropped) {
		t.Run(what, func(t *testing.T) {
			dir := copyModel(t, "module")
			edit(c.arm)(t, dir)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			m, err := tfmodel.Open(ctx, dir, tfmodel.WithCompiler(inChild))
			if err == nil {
				m.Close()
				t.Fatal("the model was opened")
			}
			if ctx.Err() != nil {
				t.Fatal("it took too long")
			}
			if _, ok := errors.AsType[crashed](err); ok {
				t.Logf("TensorFlow ended the process: %.300s", err)
				if c.reason != "" {
					t.Errorf("want %s", c.reason)
				}
				return
			}
			e := explaind.AsError(err)
			if e.Code != explaind.FailedPrecondition || c.reason != "" && e.Reason != c.reason || !strings.Contains(e.Message, c.says) {
				t.Errorf("%s: %v", e.Reason, err)
			}
			t.Logf("%s: %.200s", e.Reason, e.Message)
		})
	}
	if _, err := os.Stat(dropped); err == nil {
		t.Error("a model wrote a file")
	}
}
