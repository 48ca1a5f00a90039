package telemetry

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
)

var (
	metricName = regexp.MustCompile(`\b(?:explaind|grpc_server|process|go)_[a-z0-9_]*[a-z0-9]\b`)
	grouping   = regexp.MustCompile(`\bby \(([a-z_, ]+)\)`)
	selectors  = regexp.MustCompile(`([a-z_]+)=~?"|([a-z_]+)!=~?"`)
	// ofScrapes are the labels that Prometheus adds, and that of buckets.
	ofScrapes = []string{"instance", "job", "le"}
)

// everything are the families after traffic that meets all of them.
func everything(t *testing.T) scraped {
	t.Helper()
	r := start(t, setup{quiet: true})
	r.traffic()
	r.Loaded(time.Second, nil)
	return r.scrape()
}

// family is that of a name, with or without the suffix of a histogram's part.
func (s scraped) family(name string) *dto.MetricFamily {
	if f := s[name]; f != nil {
		return f
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if base, ok := strings.CutSuffix(name, suffix); ok && s[base].GetType() == dto.MetricType_HISTOGRAM {
			return s[base]
		}
	}
	return nil
}

// check wants every metric of a query to exist, and to have the labels by which the query chooses and groups.
func (s scraped) check(t *testing.T, where, query string) {
	t.Helper()
	var labels []string
	found := metricName.FindAllString(query, -1)
	for _, name := range found {
		f := s.family(name)
		if f == nil {
			t.Errorf("%s: there is no metric %s", where, name)
			continue
		}
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
	}
	var wanted []string
	for _, by := range grouping.FindAllStringSubmatch(query, -1) {
		for label := range strings.SplitSeq(by[1], ",") {
			wanted = append(wanted, strings.TrimSpace(label))
		}
	}
	for _, by := range selectors.FindAllStringSubmatch(query, -1) {
		wanted = append(wanted, by[1]+by[2])
	}
	for _, label := range wanted {
		if !slices.Contains(labels, label) && !slices.Contains(ofScrapes, label) {
			t.Errorf("%s: no metric of %q has the label %s", where, query, label)
		}
	}
}

func TestDashboard(t *testing.T) {
	file, err := os.ReadFile("../../deploy/grafana/explaind.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Type, Title string
			ID          int
			Targets     []struct{ Expr, LegendFormat, RefID string }
		}
	}
	if err := json.Unmarshal(file, &board); err != nil {
		t.Fatal(err)
	}
	have := everything(t)
	ids, queries := map[int]bool{}, 0
	for _, p := range board.Panels {
		if ids[p.ID] {
			t.Errorf("panel %q has the id of another one", p.Title)
		}
		ids[p.ID] = true
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			queries++
			if len(metricName.FindAllString(target.Expr, -1)) == 0 || !strings.Contains(target.Expr, `instance=~"$instance"`) {
				t.Errorf("panel %q asks for %q", p.Title, target.Expr)
			}
			have.check(t, p.Title, target.Expr)
		}
	}
	if queries < 20 {
		t.Errorf("%d queries", queries)
	}
}

// The page has all metrics of our own and no others, and its alerts ask for what there is.
func TestPage(t *testing.T) {
	file, err := os.ReadFile("../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(file)
	have := everything(t)
	for name, f := range have {
		if !strings.HasPrefix(name, "explaind_") {
			continue
		}
		row := ""
		for line := range strings.Lines(page) {
			if strings.HasPrefix(line, "| `"+name+"` |") {
				row = line
			}
		}
		if row == "" {
			t.Errorf("the page lacks %s", name)
			continue
		}
		_, row, _ = strings.Cut(row, "` | ")
		kind, _, _ := strings.Cut(row, " |")
		if !strings.HasPrefix(kind, strings.ToLower(f.GetType().String())) {
			t.Errorf("%s is a %s; the page says %s", name, f.GetType(), kind)
		}
		for _, l := range f.GetMetric()[0].GetLabel() {
			if !strings.Contains(kind, "`"+l.GetName()+"`") {
				t.Errorf("%s has the label %s; the page says %s", name, l.GetName(), kind)
			}
		}
	}
	alerts := 0
	for line := range strings.Lines(page) {
		if _, query, ok := strings.Cut(line, "expr: "); ok {
			alerts++
			have.check(t, "alerts", query)
		}
	}
	for _, name := range metricName.FindAllString(page, -1) {
		if strings.HasPrefix(name, "explaind_") && have.family(name) == nil {
			t.Errorf("the page has %s, which there is not", name)
		}
	}
	if alerts < 5 {
		t.Errorf("%d alerts", alerts)
	}
}
