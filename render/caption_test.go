package render

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func subtitleFace(tb testing.TB) *typeface {
	tb.Helper()
	text, err := newTypography(300)
	if err != nil {
		tb.Fatal(err)
	}
	return text.subtitle
}

func TestSetKeepsWhatFits(t *testing.T) {
	face := subtitleFace(t)
	for _, text := range []string{"tabby 0.408", "  tabby \n 0.408\t", "ta\x00bby\u200b 0.408"} {
		if lines := face.set(text, 300, 3); len(lines) != 1 || lines[0] != "tabby 0.408" {
			t.Errorf("%q became %q", text, lines)
		}
	}
	if lines := face.set("", 300, 3); len(lines) != 0 {
		t.Errorf("an empty text has the lines %q", lines)
	}
	lines := face.set("tabby, tabby cat, domestic short-haired cat 0.408", 200, 3)
	if len(lines) != 2 || strings.Join(lines, " ") != "tabby, tabby cat, domestic short-haired cat 0.408" {
		t.Errorf("wrapped to %q", lines)
	}
	lines = face.set("n02123045_tabby_cat_of_the_house 0.408", 150, 3)
	if len(lines) < 2 || strings.ReplaceAll(strings.Join(lines, ""), " ", "") != "n02123045_tabby_cat_of_the_house0.408" {
		t.Errorf("a long word wrapped to %q", lines)
	}
}

func TestSetCutsTheMiddle(t *testing.T) {
	face := subtitleFace(t)
	for _, filling := range []string{"very long words ", "x", "字", "\xffé", "👩‍🔬", "a\u0301"} {
		for _, count := range []int{100, 100_000} {
			for most := 1; most <= 3; most++ {
				lines := face.set("tabby "+strings.Repeat(filling, count)+" 0.408", 200, most)
				whole := strings.Join(lines, " ")
				if len(lines) != most || !strings.HasPrefix(whole, "tabby") || !strings.HasSuffix(whole, "0.408") || strings.Count(whole, "…") != 1 {
					t.Errorf("%d× %q in %d lines: %q", count, filling, most, lines)
				}
				for _, line := range lines {
					if face.measure(line) > 200 || !utf8.ValidString(line) {
						t.Errorf("%d× %q: %q is %d wide", count, filling, line, face.measure(line))
					}
				}
			}
		}
	}
}

func FuzzSet(f *testing.F) {
	face := subtitleFace(f)
	f.Add("tabby, tabby cat 0.408", uint8(80), uint8(2))
	f.Add("字\xff …", uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, text string, width, most uint8) {
		lines := face.set(text, int(width), int(most))
		if len(lines) > int(most) {
			t.Fatalf("%q has %d lines, more than %d", lines, len(lines), most)
		}
		for _, line := range lines {
			if utf8.RuneCountInString(line) > 2 && face.measure(line) > int(width) {
				t.Fatalf("%q is %d wide, more than %d", line, face.measure(line), width)
			}
		}
	})
}
