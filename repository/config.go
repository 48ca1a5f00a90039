package repository

import (
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/explaind/explaind"
)

// Options say what a repository holds and how it keeps up with the disk.
type Options struct {
	// Open opens a version. Only one call is under way at a time.
	Open OpenFunc
	// Models are served under names of their own; those without a Path are settings for a model of that name in a root.
	Models []ModelConfig
	// Roots are folders whose folders are models, as CheckRoot describes. Models may come and go in them.
	Roots []string
	// Policy is that of models which have none of their own; its zero value serves the latest version.
	Policy Policy
	// Poll is how often the folders are looked at. With 0 they are looked at once, whatever their files are doing, nothing is
	// tried again, and only LoadModel looks at a model's folder afterwards.
	Poll time.Duration
	// Log gets what happens to models; nil logs nothing.
	Log *slog.Logger
}

// ModelConfig is one model.
type ModelConfig struct {
	Name string
	// Path is the SavedModel's folder, or the one that holds its versions. Empty for the settings of a model in a root.
	Path string
	// Policy says which versions are served; nil for that of the Options.
	Policy *Policy
	// Labels name versions, as SetVersionLabel does. A version with a label is served whatever the policy says.
	Labels map[string]int64
}

// Policy says which versions of a model are served. At most one field is set; with none, it is the latest version.
//
// A version that cannot be loaded does not count: in its place the next older one is served, if All and Versions do not rule
// that out.
type Policy struct {
	Latest   int     // this many of the highest numbers
	All      bool    // every one
	Versions []int64 // these, and no other
}

// ParsePolicy reads latest, latest=N, all, or specific=VERSION,….
func ParsePolicy(s string) (Policy, error) {
	kind, value, valued := strings.Cut(s, "=")
	switch {
	case s == "latest":
		return Policy{Latest: 1}, nil
	case s == "all":
		return Policy{All: true}, nil
	case kind == "latest" && valued:
		if n, err := strconv.Atoi(value); err == nil && n > 0 {
			return Policy{Latest: n}, nil
		}
	case kind == "specific" && valued:
		var p Policy
		for text := range strings.SplitSeq(value, ",") {
			number, ok := versionNumber(strings.TrimSpace(text))
			if !ok {
				return Policy{}, badPolicy(s)
			}
			p.Versions = append(p.Versions, number)
		}
		return p, nil
	}
	return Policy{}, badPolicy(s)
}

func badPolicy(s string) error {
	return explaind.Errorf(explaind.InvalidArgument, "BAD_VERSION_POLICY",
		"%q is no version policy; it is latest, latest=N, all, or specific=VERSION,VERSION,…, with numbers above 0", s)
}

// String is what ParsePolicy reads.
func (p Policy) String() string {
	switch {
	case p.All:
		return "all"
	case len(p.Versions) > 0:
		return "specific=" + strings.Trim(strings.ReplaceAll(fmt.Sprint(p.Versions), " ", ","), "[]")
	case p.Latest > 1:
		return "latest=" + strconv.Itoa(p.Latest)
	default:
		return "latest"
	}
}

func (p Policy) check() error {
	set := 0
	for _, is := range []bool{p.Latest != 0, p.All, len(p.Versions) > 0} {
		if is {
			set++
		}
	}
	bad := slices.ContainsFunc(p.Versions, func(v int64) bool { return v <= 0 })
	if p.Latest < 0 || set > 1 || bad {
		return explaind.Errorf(explaind.InvalidArgument, "BAD_VERSION_POLICY",
			"a version policy is one of: a number of latest versions, all versions, or a list of versions, with numbers above 0")
	}
	return nil
}

// choose lists those of the versions, the latest first, that may be served, and how many of them.
func (p Policy) choose(versions []*version) (list []*version, n int) {
	switch {
	case p.All:
		return versions, len(versions)
	case len(p.Versions) > 0:
		list = slices.DeleteFunc(slices.Clone(versions), func(v *version) bool { return !slices.Contains(p.Versions, v.number) })
		return list, len(list)
	default:
		return versions, max(p.Latest, 1)
	}
}

// words are names that a client may type, and that stand in metrics and health checks: "models/NAME".
var words = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// CheckName tells why a name cannot be a model's; nil if it can.
func CheckName(name string) error {
	if words.MatchString(name) {
		return nil
	}
	return explaind.Errorf(explaind.InvalidArgument, "BAD_MODEL_NAME",
		"%q cannot be a model's name: use 1 to 128 letters, digits, '.', '_' and '-', beginning with a letter or digit", name)
}

// CheckLabel tells why a label cannot be a version's; nil if it can.
func CheckLabel(label string) error {
	if words.MatchString(label) {
		return nil
	}
	return explaind.FieldError("label", "BAD_VERSION_LABEL",
		"%q cannot be a version's label: use 1 to 128 letters, digits, '.', '_' and '-', beginning with a letter or digit", label)
}

// check tells what is wrong with a model's configuration.
func (c ModelConfig) check() error {
	if err := CheckName(c.Name); err != nil {
		return err
	}
	if c.Policy != nil {
		if err := c.Policy.check(); err != nil {
			return fmt.Errorf("model %q: %w", c.Name, err)
		}
	}
	for _, label := range slices.Sorted(maps.Keys(c.Labels)) {
		if err := CheckLabel(label); err != nil {
			return fmt.Errorf("model %q: %w", c.Name, err)
		}
		if c.Labels[label] <= 0 {
			return explaind.Errorf(explaind.InvalidArgument, "BAD_VERSION_LABEL",
				"model %q: label %q names version %d; versions are numbers above 0", c.Name, label, c.Labels[label])
		}
	}
	return nil
}
