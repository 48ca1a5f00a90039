package repository

import (
	"os"
	"testing"
	"time"
)

func TestParsePolicy(t *testing.T) {
	for text, want := range map[string]string{
		"latest": "latest", "latest=1": "latest", "latest=3": "latest=3", "all": "all", "specific=4": "specific=4", "specific=1, 3,2": "specific=1,3,2",
	} {
		if p, err := ParsePolicy(text); err != nil || p.String() != want || p.check() != nil {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
	for _, text := range []string{"", "latest=0", "latest=-1", "latest=x", "latest=", "all=1", "specific", "specific=", "specific=0", "specific=1,,2", "specific=-1", "newest"} {
		if p, err := ParsePolicy(text); reason(err) != "BAD_VERSION_POLICY" {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
}

func TestBadOptions(t *testing.T) {
	dir := folders(t, "m/1/saved_model.pb") + "/m"
	for name, c := range map[string]struct {
		options Options
		reason  string
	}{
		"policy of all": {Options{Policy: Policy{Latest: 2, All: true}}, "BAD_VERSION_POLICY"},
		"policy of one": {Options{Models: []ModelConfig{{Name: "m", Path: dir, Policy: &Policy{Versions: []int64{0}}}}}, "BAD_VERSION_POLICY"},
		"negative":      {Options{Policy: Policy{Latest: -1}}, "BAD_VERSION_POLICY"},
		"name":          {Options{Models: []ModelConfig{{Name: "a/b", Path: dir}}}, "BAD_MODEL_NAME"},
		"label":         {Options{Models: []ModelConfig{{Name: "m", Path: dir, Labels: map[string]int64{"a b": 1}}}}, "BAD_VERSION_LABEL"},
		"label of none": {Options{Models: []ModelConfig{{Name: "m", Path: dir, Labels: map[string]int64{"a": 0}}}}, "BAD_VERSION_LABEL"},
		"twice":         {Options{Models: []ModelConfig{{Name: "m", Path: dir}, {Name: "m", Path: dir}}}, "DUPLICATE_MODEL"},
		"no folder":     {Options{Models: []ModelConfig{{Name: "m", Path: dir + "/nowhere"}}}, "FOLDER_NOT_FOUND"},
	} {
		if _, err := New(c.options); reason(err) != c.reason {
			t.Errorf("%s: %v, want %s", name, err, c.reason)
		}
	}
}

func policy(p Policy) func(*Options) { return func(o *Options) { o.Policy = p } }

func TestPolicies(t *testing.T) {
	five := map[string]string{"m/1": "1", "m/2": "broken", "m/3": "3", "m/4": "4", "m/5": "broken"}
	for _, c := range []struct {
		policy string
		states string
	}{
		{"latest", "1 UNLOADED, 2 UNLOADED, 3 UNLOADED, 4 READY, 5 FAILED CORRUPT"},
		{"latest=2", "1 UNLOADED, 2 UNLOADED, 3 READY, 4 READY, 5 FAILED CORRUPT"},
		{"latest=3", "1 READY, 2 FAILED CORRUPT, 3 READY, 4 READY, 5 FAILED CORRUPT"},
		{"latest=9", "1 READY, 2 FAILED CORRUPT, 3 READY, 4 READY, 5 FAILED CORRUPT"},
		{"all", "1 READY, 2 FAILED CORRUPT, 3 READY, 4 READY, 5 FAILED CORRUPT"},
		{"specific=3", "1 UNLOADED, 2 UNLOADED, 3 READY, 4 UNLOADED, 5 UNLOADED"},
		{"specific=1,2,9", "1 READY, 2 FAILED CORRUPT, 3 UNLOADED, 4 UNLOADED, 5 UNLOADED"},
		{"specific=9", "1 UNLOADED, 2 UNLOADED, 3 UNLOADED, 4 UNLOADED, 5 UNLOADED"},
	} {
		p, err := ParsePolicy(c.policy)
		must(t, err)
		r := newRig(t, policy(p), five)
		r.turn()
		if got := r.states("m"); got != c.states {
			t.Errorf("%s: %q, want %q", c.policy, got, c.states)
		}
	}
}

// The window of the latest two moves on, and an older one leaves only when the newer one serves.
func TestLatestTwoMoveOn(t *testing.T) {
	r := newRig(t, policy(Policy{Latest: 2}), map[string]string{"m/1": "1", "m/2": "2"})
	r.turn()
	r.put("m/3", "broken")
	r.turn()
	r.wantStates("m", "1 READY, 2 READY, 3 FAILED CORRUPT")
	r.put("m/3", "3")
	r.during["m/3"] = func() { r.wantStates("m", "1 READY, 2 READY, 3 LOADING") }
	r.turn()
	r.wantStates("m", "1 UNLOADED, 2 READY, 3 READY")
	must(t, os.RemoveAll(r.path("m/3")))
	r.pass(4 * time.Second)
	r.wantStates("m", "1 READY, 2 READY")
}

// A model of a root may have a policy of its own. Models without any version come first, then further versions of each.
func TestPolicyOfOneModel(t *testing.T) {
	r := newRig(t, func(o *Options) {
		o.Models = []ModelConfig{{Name: "a", Policy: &Policy{All: true}}, {Name: "nowhere"}}
	}, map[string]string{"a/1": "a1", "a/2": "a2", "b/1": "b1", "b/2": "b2"})
	r.turn()
	r.wantStates("a", "1 READY, 2 READY")
	r.wantStates("b", "1 UNLOADED, 2 READY")
	if r.opened[0] != "a/2" || r.opened[1] != "b/2" || r.opened[2] != "a/1" {
		t.Errorf("loaded in the order %v", r.opened)
	}
}
