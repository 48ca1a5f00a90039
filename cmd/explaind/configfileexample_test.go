package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// update writes what the test would else compare with; make docs-settings does that.
var update = flag.Bool("update", false, "write docs/configuration.md anew")

// The example names every setting, says what its default is, and changes nothing as it stands.
func TestConfigExample(t *testing.T) {
	r := newRig(t)
	text := r.run("config", "example").want(t, statusGood).stdout
	_, s, got := inFile(t, text)
	if got != "" || len(s.origins) != 0 {
		t.Errorf("as it stands: %s %v", got, s.origins)
	}
	// Every setting taken in, but for the second form of models.
	before, after, found := strings.Cut(text, exampleModels)
	if !found {
		t.Fatal("the example of models is missing")
	}
	settings := regexp.MustCompile(`(?m)^#([a-z])`)
	_, s, got = inFile(t, settings.ReplaceAllString(before+after, "$1"))
	if got != "" {
		t.Fatal(got)
	}
	s.visit(func(f *pflag.Flag) {
		if s.origins[f.Name].file == "" {
			t.Errorf("%s is not in the example", f.Name)
		}
		if f.Value.String() != f.DefValue {
			t.Errorf("%s is %s in the example, and by default %s", f.Name, f.Value, f.DefValue)
		}
	})
	var models []string
	for line := range strings.SplitSeq(exampleModels, "\n") {
		if strings.HasPrefix(line, "#models") || strings.HasPrefix(line, "#  ") {
			models = append(models, line[1:])
		}
	}
	f, _, got := inFile(t, strings.Join(models, "\n"))
	if got != "" || len(f.models.folders) != 1 || len(f.models.written) != 1 || f.models.written[0].Policy.Latest != 2 || f.models.written[0].Labels["stable"] != 3 {
		t.Errorf("the models of the example are %+v %s", f.models, got)
	}
	for i, line := range strings.Split(text, "\n") {
		if len(line) > 120 {
			t.Errorf("line %d is long: %s", i+1, line)
		}
	}
}

// The page has a table of every setting, made of the flags.
func TestConfigurationPage(t *testing.T) {
	const page, begin, end = "../../docs/configuration.md", "<!-- settings -->\n", "<!-- end of settings -->\n"
	data, err := os.ReadFile(page)
	must(t, err)
	before, rest, found := strings.Cut(string(data), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no lines of %q and %q", page, begin, end)
	}
	want := before + begin + settingsTable() + end + after
	if *update {
		must(t, os.WriteFile(page, []byte(want), 0o644))
		return
	}
	if string(data) != want {
		t.Error("the tables in docs/configuration.md are not those of the flags as they are; make docs-settings writes them anew")
	}
}

// settingsTable is a table in Markdown for each group of settings.
func settingsTable() string {
	out, title := "", ""
	serveSettings().visit(func(f *pflag.Flag) {
		if of := groupOf(f); of != title {
			title = of
			out += fmt.Sprintf("\n### %s\n\n| setting | default | |\n|---|---|---|\n", title)
		}
		value := f.DefValue
		switch {
		case f.Name == "cache":
			value = "`~/.cache/explaind`"
		case value == "" || value == "[]":
			value = ""
		default:
			value = "`" + strings.Trim(value, "[]") + "`"
		}
		out += fmt.Sprintf("| `%s` | %s | %s |\n", f.Name, value, strings.ReplaceAll(usageOf(f), "|", `\|`))
	})
	return out + "\n"
}

// The help of serve is one line a flag, each in a group, and all in one voice.
func TestServeHelp(t *testing.T) {
	r := newRig(t)
	help := r.run("serve", "--help").want(t, statusGood).stdout
	s := serveSettings()
	s.visit(func(f *pflag.Flag) {
		if groupOf(f) == "" {
			t.Errorf("--%s stands in no group", f.Name)
		}
		if f.Usage == "" || strings.HasSuffix(f.Usage, ".") || strings.Contains(f.Usage, "\n") {
			t.Errorf("--%s: the text %q is not one line without a full stop", f.Name, f.Usage)
		}
		if !strings.Contains(help, "--"+f.Name+" ") {
			t.Errorf("--%s is not in the help", f.Name)
		}
		if kind := f.Value.Type(); kind != "bool" {
			if word, _ := pflag.UnquoteUsage(f); word == kind || word == "string" || word == "stringArray" || word == "uint" || word == "int" || word == "float" {
				t.Errorf("--%s: the text %q has no `WORD` for its value", f.Name, f.Usage)
			}
		}
	})
	last := 0
	for _, title := range []string{"Flags:", "Models:", "Addresses:", "Computing:", "Load:", "Security:", "Telemetry:"} {
		at := strings.Index(help, "\n"+title+"\n")
		if at < last {
			t.Errorf("%s is missing in the help, or stands in another place", title)
		}
		last = at
	}
}
