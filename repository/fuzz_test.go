package repository

import (
	"strconv"
	"testing"
)

// FuzzVersionNumber: a folder is a version if its name is a positive number in plain digits, and only then.
func FuzzVersionNumber(f *testing.F) {
	for _, name := range []string{"1", "001", "9223372036854775807", "9223372036854775808", "0", "-1", "+1", "1e3", "0x10", "1_000", " 1", "1.0", "١", "", ".1", "1/2", "tmp.1"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		number, ok := versionNumber(name)
		digits := name != ""
		for _, r := range []byte(name) {
			digits = digits && '0' <= r && r <= '9'
		}
		if len(name) < 19 && ok != (digits && number > 0) {
			t.Fatalf("%q is %d, %v", name, number, ok)
		}
		if ok && !digits {
			t.Fatalf("%q is version %d", name, number)
		}
		if again, ok2 := versionNumber(strconv.FormatInt(number, 10)); ok && (!ok2 || again != number) {
			t.Fatalf("%q is %d, and that is %d, %v", name, number, again, ok2)
		}
	})
}

// FuzzModelName: a model's name can stand in a path, a metric and a health check.
func FuzzModelName(f *testing.F) {
	for _, name := range []string{"resnet50", "a", "..", ".a", "a/b", "a b", "é", "-a", "a\x00", "a\n", "A.b_c-9"} {
		f.Add(name + "=dir")
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if CheckName(source) == nil {
			for _, r := range source {
				if r <= ' ' || r == '/' || r == '\\' || r == '=' || r > '~' {
					t.Fatalf("%q is a name", source)
				}
			}
			if source == "." || source == ".." || len(source) > 128 {
				t.Fatalf("%q is a name", source)
			}
		}
		if s, err := ParseSource(source); err == nil && (CheckName(s.Name) != nil || s.Name+"="+s.Dir != source) {
			t.Fatalf("%q is %+v", source, s)
		}
	})
}

// FuzzPolicy: what is a policy is written as it is read.
func FuzzPolicy(f *testing.F) {
	for _, s := range []string{"latest", "latest=3", "all", "specific=1,2", "specific= 7", "latest=0", "latest=-1", "specific=", "specific=1,,2", "specific=0", "", "all=1", "latest=99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePolicy(s)
		if err != nil {
			return
		}
		if err := p.check(); err != nil {
			t.Fatalf("%q is read as %+v: %v", s, p, err)
		}
		if again, err := ParsePolicy(p.String()); err != nil || again.String() != p.String() {
			t.Fatalf("%q is written as %q, which is %+v, %v", s, p, again, err)
		}
	})
}
