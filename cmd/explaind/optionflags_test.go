package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// leaves calls f for every field of a message and of the messages in it, with the name that its flag must have.
func leaves(m protoreflect.MessageDescriptor, prefix string, f func(flag string, path []protoreflect.FieldDescriptor)) {
	for i := range m.Fields().Len() {
		field := m.Fields().Get(i)
		name := prefix + strings.ReplaceAll(string(field.Name()), "_", "-")
		if field.Message() == nil {
			f(name, []protoreflect.FieldDescriptor{field})
			continue
		}
		leaves(field.Message(), name+"-", func(flag string, path []protoreflect.FieldDescriptor) {
			f(flag, append([]protoreflect.FieldDescriptor{field}, path...))
		})
	}
}

// Every field of MethodOptions has a flag of its name, which sets that field and no other.
func TestEveryOptionHasAFlag(t *testing.T) {
	count := 0
	leaves((&pb.MethodOptions{}).ProtoReflect().Descriptor(), "", func(flag string, path []protoreflect.FieldDescriptor) {
		count++
		var f optionFlags
		cmd := &cobra.Command{}
		f.register(cmd)
		last := path[len(path)-1]
		values := []string{"1"}
		switch last.Kind() {
		case protoreflect.BoolKind:
			values = []string{"true"}
		case protoreflect.EnumKind:
			values = nil
			enum := last.Enum().Values()
			prefix := strings.TrimSuffix(string(enum.Get(0).Name()), "UNSPECIFIED")
			for i := 1; i < enum.Len(); i++ {
				word := strings.ToLower(strings.TrimPrefix(string(enum.Get(i).Name()), prefix))
				values = append(values, word, strings.ReplaceAll(word, "_", "-"))
			}
		}
		for i, value := range values {
			if err := cmd.Flags().Set(flag, value); err != nil {
				t.Errorf("--%s %s: %v", flag, value, err)
				return
			}
			m := f.message().ProtoReflect()
			for _, field := range path[:len(path)-1] {
				m = m.Get(field).Message()
			}
			got := m.Get(last).String()
			switch last.Kind() {
			case protoreflect.EnumKind:
				if int(m.Get(last).Enum()) != 1+i/2 {
					t.Errorf("--%s %s sets %s", flag, value, got)
				}
			default:
				if got != value {
					t.Errorf("--%s %s sets %s", flag, value, got)
				}
			}
		}
		set := 0
		leaves(f.message().ProtoReflect().Descriptor(), "", func(_ string, path []protoreflect.FieldDescriptor) {
			m := f.message().ProtoReflect()
			for _, field := range path[:len(path)-1] {
				m = m.Get(field).Message()
			}
			if m.Has(path[len(path)-1]) {
				set++
			}
		})
		if set != 1 {
			t.Errorf("--%s sets %d fields", flag, set)
		}
	})
	if count != 18 {
		t.Errorf("MethodOptions has %d settings; is there a page that tells of the new ones?", count)
	}
}

func TestMethodOptionsInTheHelp(t *testing.T) {
	r := newRig(t)
	for _, command := range []string{"explain", "compare", "evaluate"} {
		help := r.run(command, "--help").want(t, statusGood).stdout
		general, options, found := strings.Cut(help, "\nMethod options:\n")
		if !found || !strings.Contains(general, "--method METHODS") || strings.Contains(general, "--rise-masks") ||
			strings.Contains(options, "--method") || !strings.HasPrefix(options, "      --aug-smooth ") {
			t.Errorf("%s: got\n%s", command, help)
		}
		leaves((&pb.MethodOptions{}).ProtoReflect().Descriptor(), "", func(flag string, _ []protoreflect.FieldDescriptor) {
			if !strings.Contains(options, "      --"+flag+" ") {
				t.Errorf("%s: the help lacks --%s", command, flag)
			}
		})
	}
	if help := r.run("predict", "--help").want(t, statusGood).stdout; strings.Contains(help, "Method options") {
		t.Errorf("predict has no methods:\n%s", help)
	}
}

// What is wrong with an option is said of its flag.
func TestBadOptions(t *testing.T) {
	r := newRig(t, "colours")
	picture := halfRed(t, t.TempDir())
	for _, c := range []struct {
		args string
		text []string
	}{
		{"--fusion sum", []string{`--fusion "sum" is not known; choose among mean, max, product`}},
		{"--noise-samples many", []string{`--noise-samples "many" is not a number`}},
		{"--noise-samples -1", []string{"--noise-samples: it must be from 1 to", "(BAD_OPTION)"}},
		{"--rise-keep 1", []string{"--rise-keep: ", "below 1"}},
		{"--score-cam-max-channels -3", []string{"--score-cam-max-channels: "}},
		{"--eigen-smooth --method cam", []string{"--eigen-smooth: cam weighs no activations"}},
		{"--grad-cam-plus-plus-form softmax --method grad_cam_plus_plus --versus 1", []string{"--versus: ", "softmax form"}},
		{"--seed 1.5", []string{`--seed "1.5" is not a whole number`}},
	} {
		for _, command := range [][]string{{"explain", picture, "--out", ""}, {"evaluate", picture}} {
			if command[0] == "evaluate" && strings.Contains(c.args, "--versus") {
				continue
			}
			args := append(append(command, "--model", r.model("colours")), strings.Fields(c.args)...)
			if o := r.run(args...).want(t, statusNotStarted, c.text...); o.stdout != "" {
				t.Errorf("%s: standard output is not empty:\n%s", c.args, o.stdout)
			}
		}
	}
	// 16 windows a row do not fit: this is found when the image is there.
	o := r.run("explain", picture, "--out", "", "--model", r.model("colours"), "--method", "rise", "--rise-masks", "65536", "--aug-smooth")
	o.want(t, statusSomeFailed, "393216 further images", "in the method options")
	if strings.Contains(o.stderr, "config") {
		t.Errorf("the protocol's field is of no use to people:\n%s", o.stderr)
	}
	// A figure has the same flags.
	r.run("compare", picture, "--model", r.model("colours"), "--out", filepath.Join(t.TempDir(), "f.png"), "--rise-keep", "2").want(t, statusNotStarted, "--rise-keep: ")
}
