package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// overload has bench/overload ask for ten times what the server can do (figure R4), and puts what that prints into the table. The
// model costs more than a call of gRPC does: of a tiny one, a refusal costs as much as an answer.
func overload(ctx context.Context, s *soak) error {
	command := exec.CommandContext(ctx, "go", "run", "./bench/overload", "-explaind", s.binary,
		"-time", pick(s, 3*time.Second, 20*time.Second).String(), filepath.Join(s.zoo, "mobilenetv2", "1"), "--", "--cache", s.cache())
	out, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, tail(string(out), 10))
	}
	text := string(out)
	for _, part := range []struct{ name, asked string }{
		{"capacity", "as much as it can do"}, {"80 %", "four fifths of it"}, {"10 times", "ten times as much"},
	} {
		n, err := account(text, part.name)
		if err != nil {
			return err
		}
		s.report.promise("requests of "+part.asked+" (R4)", n.answered+n.refused+n.failed == n.sent,
			fmt.Sprintf("%d accepted + %d refused + %d failed of %d sent", n.answered, n.refused, n.failed, n.sent), "adds up")
		s.report.count("of them that failed", n.failed, 0)
	}
	for _, figure := range []struct {
		line  string
		holds func(float64) bool
		limit string
	}{
		{"answered under overload / capacity", func(x float64) bool { return x >= 0.9 }, "≥ 0.9"},
		{"p99 of answers under overload / at 80 %", func(x float64) bool { return x <= 2 }, "≤ 2"},
		{"p99 of refusals", func(x float64) bool { return x <= 50 }, "≤ 50 ms"},
	} {
		x, err := figureOf(text, figure.line)
		if err != nil {
			return err
		}
		s.report.aim(figure.line+" (R4)", figure.holds(x), fmt.Sprint(x), figure.limit)
	}
	silent, err := figureOf(text, "refusals without a time to come back")
	if err != nil {
		return err
	}
	s.report.count("refusals without a time to come back (R4)", int(silent), 0)
	return nil
}

type balance struct{ sent, answered, refused, failed int }

// account reads a line of the table: | part | asked/s | sent | answered | refused | failed | …
func account(text, part string) (b balance, err error) {
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		if len(cells) < 7 || strings.TrimSpace(cells[1]) != part {
			continue
		}
		for i, n := range []*int{&b.sent, &b.answered, &b.refused, &b.failed} {
			if *n, err = strconv.Atoi(strings.TrimSpace(cells[3+i])); err != nil {
				return b, err
			}
		}
		return b, nil
	}
	return b, fmt.Errorf("bench/overload printed no part %q:\n%s", part, text)
}

// figureOf reads a line "name: figure …".
func figureOf(text, name string) (float64, error) {
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + `: ([0-9.]+)`).FindStringSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("bench/overload printed no %q:\n%s", name, text)
	}
	return strconv.ParseFloat(found[1], 64)
}
