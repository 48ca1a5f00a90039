package main

import (
	"encoding/json"
	"math"
	"testing"
)

func TestTable(t *testing.T) {
	got := table([][]string{{"", "a", "größe", "x"}, {"", "longer", "b", ""}})
	if want := "a       größe  x\nlonger  b\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNumberInJSON(t *testing.T) {
	got, err := json.Marshal([]number{0.1, -2, number(math.NaN()), number(math.Inf(1))})
	if want := "[0.1,-2,null,null]"; err != nil || string(got) != want {
		t.Errorf("got %s %v, want %s", got, err, want)
	}
}

func TestNamesOfFilesStayInTheFolder(t *testing.T) {
	for name, want := range map[string]string{
		"block5_conv3": "block5_conv3", "../../etc/x": "______etc_x", "tabby, tabby cat": "tabby__tabby_cat", "Größe-2": "Größe-2", `a\b:c`: "a_b_c",
	} {
		if got := fileWord(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
}
