package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// settled registers the flags of serve, parses the command line and takes environment and file in.
func settled(t *testing.T, args ...string) (*serveFlags, *settings, error) {
	t.Helper()
	f, cmd := new(serveFlags), &cobra.Command{Use: "serve"}
	f.register(cmd)
	must(t, cmd.ParseFlags(args))
	s, err := f.settle(cmd)
	return f, s, err
}

// inFile is settled with a configuration file in a folder of its own, whose name stands as FILE in the error's text.
func inFile(t *testing.T, text string, args ...string) (*serveFlags, *settings, string) {
	t.Helper()
	file := write(t, filepath.Join(t.TempDir(), "explaind.yaml"), text)
	f, s, err := settled(t, append(args, "--config", file)...)
	if err == nil {
		return f, s, ""
	}
	var texts []string
	for _, one := range each(err) {
		texts = append(texts, strings.ReplaceAll(describe(one), file, "FILE"))
	}
	return f, s, strings.Join(texts, "\n")
}

func TestBadConfigFiles(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown key":           {"threads: 1\nmax-pixel: 5\n", `FILE:2: key "max-pixel" does not exist; nearest: max-pixels, `},
		"underscores":           {"max_pixels: 5\n", `FILE:1: key "max_pixels" does not exist; nearest: max-pixels, `},
		"capitals":              {"Threads: 5\n", `FILE:1: key "Threads" does not exist; nearest: threads, `},
		"nested":                {"log:\n  level: debug\n", `FILE:1: key "log" does not exist; nearest: `},
		"itself":                {"config: other.yaml\n", `FILE:1: key "config" does not exist; nearest: `},
		"help":                  {"help: true\n", `FILE:1: key "help" does not exist; nearest: `},
		"twice":                 {"threads: 1\ngrpc: a\nthreads: 2\n", `FILE:3: threads is set a second time, after line 1; keep one of them`},
		"no number":             {"threads: many\n", `FILE:1: threads "many" is not a number`},
		"negative":              {"threads: -1\n", `FILE:1: threads "-1" is not a whole number from 0 on`},
		"fraction":              {"threads: 1.5\n", `FILE:1: threads "1.5" is not a whole number from 0 on`},
		"too large":             {"threads: 99999999999999999999\n", `FILE:1: threads "99999999999999999999" is out of range`},
		"bool for a number":     {"threads: true\n", `FILE:1: threads "true" is not a number`},
		"list for a number":     {"threads: [1, 2]\n", `FILE:1: threads: expected a whole number, found a list`},
		"mapping for a number":  {"threads: {one: 1}\n", `FILE:1: threads: expected a whole number, found a mapping`},
		"nothing for a number":  {"threads:\n", `FILE:1: threads: expected a whole number, found nothing; leave the line out for the default`},
		"nothing for text":      {"http: ~\n", `FILE:1: http: expected text, found nothing; write http: "" for the empty text, or leave the line out for the default`},
		"mapping for text":      {"\ngrpc:\n  host: a\n", `FILE:2: grpc: expected text, found a mapping`},
		"no time":               {"grace: 30\n", `FILE:1: grace "30" is not a time such as 30s or 2m`},
		"list for a time":       {"grace: [30s]\n", `FILE:1: grace: expected a time such as 30s or 2m, found a list`},
		"no bool":               {"insecure: maybe\n", `FILE:1: insecure "maybe" is neither true nor false`},
		"list for a bool":       {"insecure: []\n", `FILE:1: insecure: expected true or false, found a list`},
		"mapping for a list":    {"model: {a: /a}\n", `FILE:1: model: expected a value or a list of values, found a mapping`},
		"list in a list":        {"models: [[a]]\n", `FILE:1: models: expected a list of values, found a list in it`},
		"mapping in a list":     {"model: [{a: b}]\n", `FILE:1: model: expected a list of values, found a mapping in it`},
		"nothing in a list":     {"models:\n  -\n", `FILE:1: models: expected a list of values, found nothing in it`},
		"a list":                {"- threads: 1\n", `FILE:1: expected lines of KEY: VALUE, found a list`},
		"a word":                {"threads\n", `FILE:1: expected lines of KEY: VALUE, found "threads"`},
		"a list for a key":      {"? [a]\n: b\n", `FILE:1: a key is the name of a setting, found a list`},
		"two documents":         {"threads: 1\n---\nthreads: 2\n", `FILE holds several YAML documents; keep one, and leave out the lines of --- between them`},
		"broken second":         {"threads: 1\n---\n{\n", `FILE:3: not YAML: did not find expected node content`},
		"tab":                   {"threads: 1\n\tgrpc: a\n", `FILE:2: not YAML: found a tab character that violates indentation`},
		"open quote":            {"grpc: \"a\n", `FILE:2: not YAML: found unexpected end of stream`},
		"open list":             {"models: [a\nthreads: 1\n", `FILE:1: not YAML: did not find expected ',' or ']'`},
		"anchor":                {"grpc: &a b\n", `FILE:1: anchors (&), aliases (*) and merges (<<) are not supported; write the value out`},
		"alias":                 {"grpc: &a b\nhttp: *a\n", "FILE:1: anchors (&), aliases (*) and merges (<<) are not supported; write the value out\nFILE:2: anchors (&), aliases (*) and merges (<<) are not supported; write the value out"},
		"merge":                 {"<<: {threads: 1}\n", `FILE:1: anchors (&), aliases (*) and merges (<<) are not supported; write the value out`},
		"tag":                   {"threads: !!str 1\n", `FILE:1: tags such as !!str are not supported; write the value alone`},
		"unknown tag":           {"threads: !mine 1\n", `FILE:1: tags such as !mine are not supported; write the value alone`},
		"binary":                {"grpc: \x01\n", `FILE is not YAML: control characters are not allowed`},
		"several":               {"thread: 1\ngrace: x\n", "FILE:1: key \"thread\" does not exist; nearest: threads, …\nFILE:2: grace \"x\" is not a time such as 30s or 2m"},
		"model without name":    {"models:\n  - path: /a\n", `FILE:2: a model needs a name`},
		"model's bad name":      {"models:\n  - {name: a b, path: /a}\n", `FILE:2: "a b" cannot be a model's name: use 1 to 128 letters, digits, '.', '_' and '-', beginning with a letter or digit (BAD_MODEL_NAME)`},
		"model's number":        {"models:\n  - {name: [a], path: /a}\n", `FILE:2: name: expected text, found a list`},
		"model's empty path":    {"models:\n  - {name: a, path: ''}\n", `FILE:2: path: expected text, found ""`},
		"model's unknown key":   {"models:\n  - name: a\n    pth: /a\n", `FILE:3: key "pth" does not exist; nearest: path, `},
		"model's key twice":     {"models:\n  - name: a\n    name: b\n", `FILE:3: name stands there twice; keep one of them`},
		"model's key a list":    {"models:\n  - ? [a]\n    : b\n", `FILE:2: expected the name of a key, found a list`},
		"unknown versions":      {"models:\n  - {name: a, versions: newest}\n", `FILE:2: versions: "newest" is no version policy; it is latest, latest=N, all, or specific=VERSION,VERSION,…, with numbers above 0 (BAD_VERSION_POLICY)`},
		"no versions":           {"models:\n  - name: a\n    versions:\n", `FILE:3: versions: expected latest, {latest: NUMBER}, all, or {specific: [NUMBER, …]}, found nothing`},
		"versions of two kinds": {"models:\n  - {name: a, versions: {latest: 1, specific: [1]}}\n", `FILE:2: versions: expected latest, {latest: NUMBER}, all, or {specific: [NUMBER, …]}, found a mapping`},
		"versions of no kind":   {"models:\n  - {name: a, versions: {newest: 1}}\n", `FILE:2: versions: expected latest, {latest: NUMBER}, all, or {specific: [NUMBER, …]}, found "newest": …`},
		"latest none":           {"models:\n  - {name: a, versions: {latest: 0}}\n", `FILE:2: versions: latest: expected a number of versions from 1 on, found "0"`},
		"specific word":         {"models:\n  - {name: a, versions: {specific: [one]}}\n", `FILE:2: versions: specific: expected the number of a version, from 1 on, found "one"`},
		"labels a list":         {"models:\n  - {name: a, labels: [stable]}\n", `FILE:2: labels: expected {LABEL: VERSION, …}, found a list`},
		"label of no version":   {"models:\n  - {name: a, labels: {stable: new}}\n", `FILE:2: labels: stable: expected the number of a version, from 1 on, found "new"`},
		"label's bad name":      {"models:\n  - {name: a, labels: {a b: 1}}\n", `FILE:2: labels: "a b" cannot be a version's label: use 1 to 128 letters, digits, '.', '_' and '-', beginning with a letter or digit`},
		"label twice":           {"models:\n  - {name: a, labels: {b: 1, b: 2}}\n", `FILE:2: b stands there twice; keep one of them`},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, got := inFile(t, c.text)
			// Which other keys are near changes with the flags.
			var lines []string
			for line := range strings.SplitSeq(got, "\n") {
				if at := strings.Index(line, "; nearest: "); at > 0 {
					rest := line[at+len("; nearest: "):]
					first, _, _ := strings.Cut(rest, ", ")
					line = line[:at] + "; nearest: " + first + ", …"
				}
				lines = append(lines, line)
			}
			got = strings.Join(lines, "\n")
			want := c.want
			if strings.HasSuffix(want, ", ") {
				want += "…"
			}
			if strings.HasSuffix(want, "; nearest: ") {
				got = got[:min(len(got), len(want))]
			}
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestUnreadableConfigFiles(t *testing.T) {
	dir := t.TempDir()
	huge := write(t, filepath.Join(dir, "huge"), strings.Repeat("#\n", maxConfigBytes/2+1))
	for path, want := range map[string]string{
		filepath.Join(dir, "gone"): "the configuration cannot be read: open " + filepath.Join(dir, "gone") + ": no such file or directory",
		dir:                        "the configuration cannot be read: read " + dir + ": is a directory",
		huge:                       huge + " is larger than 1 MiB, which no configuration is",
	} {
		if _, _, err := settled(t, "--config", path); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// Files without settings leave everything as it is.
func TestEmptyConfigFiles(t *testing.T) {
	for _, text := range []string{"", "\n", "# only a comment\n", "---\n", "--- # one document\n...\n", "~\n", "{}\n", "\ufeff"} {
		_, s, got := inFile(t, text)
		if got != "" || len(s.origins) != 0 {
			t.Errorf("%q: %s, settings %v", text, got, s.origins)
		}
	}
}

// Whatever stands in a file, reading it ends in entries or an error that names the file, and soon.
func FuzzConfigFile(f *testing.F) {
	for _, text := range []string{
		"", "threads: 1\n", "models: [a, {name: b, path: /b, versions: {latest: 2}, labels: {stable: 3}}]\n",
		"models:\n  - {name: a, versions: {specific: [1, 2]}}\n", "grpc: \"a\n", "<<: *a\n", "? [a]\n: b\n", "a: !!binary x\n", "- - - -\n", "\ufeffa: b",
		strings.Repeat("[", 200), strings.Repeat("- ", 200), strings.Repeat("a: {", 200),
		"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: &d [*c, *c]\ne: &e [*d, *d]\nf: [*e, *e]\n", // an alias bomb
		"a: &a {b: *a}\n", "%YAML 1.2\n---\na: b\n", "a: |\n  b\n  c\n", "a: >-\n  b\n", "{a: b, c: d}\n", "a: 'b\n", "\xff\xfe", "a: \"\\u0000\"\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := parseConfig("FILE", []byte(text))
		if err != nil && !strings.HasPrefix(err.Error(), "FILE") {
			t.Errorf("%v does not begin with the file", err)
		}
		s := serveSettings()
		s.origins, s.nodes = map[string]origin{}, map[string]*yaml.Node{}
		s.structured = map[string]func(string, []*yaml.Node) error{"models": func(file string, elements []*yaml.Node) error {
			models, err := readModels(file, elements)
			if err == nil && len(models) != len(elements) {
				t.Errorf("%d models of %d", len(models), len(elements))
			}
			return err
		}}
		for _, e := range entries {
			if err := s.fromFile("FILE", e); err != nil && !strings.HasPrefix(err.Error(), "FILE:") {
				t.Errorf("%v does not begin with the file", err)
			}
		}
	})
}

// A file as deep as its size allows, and one with references that would unfold to billions of values, are refused without
// the memory that they ask for.
func TestConfigFileBombs(t *testing.T) {
	bomb := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for name := 'b'; name <= 'z'; name++ {
		last := string(name - 1)
		bomb += string(name) + ": &" + string(name) + " [*" + strings.Repeat(last+", *", 8) + last + "]\n"
	}
	for _, text := range []string{bomb, "a: " + strings.Repeat("[", maxConfigBytes-3), strings.Repeat("- ", maxConfigBytes/2), strings.Repeat("a: ", maxConfigBytes/3)} {
		entries, err := parseConfig("FILE", []byte(text))
		for _, e := range entries {
			err = errors.Join(err, e.bad)
		}
		if err == nil {
			t.Errorf("%.20s…: no error", text)
		}
	}
}
