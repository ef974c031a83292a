package metrics_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tillway/terminal"
)

const rulesFile = "../../packaging/prometheus/tillway.rules.yml"

// Prometheus' own linter finds nothing to say about the figures, well or sick.
func TestPromtoolTakesTheFigures(t *testing.T) {
	x := newTerminal()
	_, text := x.get(t, "/metrics")
	tool(t, text, "check", "metrics")
	x.sick = true
	_, text = x.get(t, "/metrics")
	tool(t, text, "check", "metrics")
}

// Every figure that an alert asks for is one that the terminal gives: an alert on a misspelt one never fires.
func TestAlertsAskForFiguresThatAreThere(t *testing.T) {
	x := newTerminal()
	_, text := x.get(t, "/metrics")
	for _, name := range regexp.MustCompile(`tillway_\w+`).FindAllString(read(t, rulesFile), -1) {
		if !strings.Contains(text, "\n# TYPE "+name+" ") {
			t.Errorf("%s is in the rules, and in no scrape", name)
		}
	}
}

// Each alert fires for a terminal on which what it is about has gone wrong, and none for one that is well. The series are what the
// exporter says, a minute apart; Prometheus' own engine judges them.
func TestAlertsFire(t *testing.T) {
	rules, err := filepath.Abs(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	tool(t, "", "check", "rules", rules)
	x := newTerminal()
	_, text := x.get(t, "/metrics")
	well := series(text)
	x.sick = true
	for id := terminal.SaleID(1); id <= 9; id++ {
		x.journal.sale(id, terminal.Reversed)
		x.journal.add(terminal.JournalRow{Kind: terminal.StrayEntry})
	}
	_, text = x.get(t, "/metrics")
	ill := series(text)

	var in strings.Builder
	fmt.Fprintf(&in, "rule_files: [%q]\nevaluation_interval: 1m\ntests:\n", rules)
	play(&in, well, well, 1, 1)
	in.WriteString("    promql_expr_test:\n      - {expr: 'count(ALERTS)', eval_time: 5h, exp_samples: []}\n")
	names := regexp.MustCompile(`(?m)alert: (\w+)$`).FindAllStringSubmatch(read(t, rulesFile), -1)
	if len(names) < 19 {
		t.Fatalf("only %d alerts are found", len(names))
	}
	play(&in, well, ill, 1, 0)
	in.WriteString("    promql_expr_test:\n")
	for _, n := range names {
		when := "5h"
		if strings.Contains("TillwayManyReversals TillwayStrayAnswers", n[1]) { // within the hour
			when = "30m"
		}
		fmt.Fprintf(&in, "      - {expr: 'count(ALERTS{alertname=%q,alertstate=\"firing\"})', eval_time: %s, exp_samples: [{labels: '{}', value: 1}]}\n", n[1], when)
	}
	file := filepath.Join(t.TempDir(), "alerts.test.yml")
	if err := os.WriteFile(file, []byte(in.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, "", "test", "rules", file)
}

// play writes one test's series: ten minutes of the first, and hours of the second.
func play(in *strings.Builder, first, then map[string]string, up, after int) {
	in.WriteString("  - interval: 1m\n    input_series:\n")
	fmt.Fprintf(in, "      - {series: 'up{job=\"tillway\",instance=\"till\"}', values: '%d+0x10 %d+0x400'}\n", up, after)
	names := make([]string, 0, len(then))
	for name := range then {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		before, ok := first[name]
		if !ok {
			before = "0"
		}
		labelled := strings.Replace(name, "{", `{instance="till",`, 1)
		if labelled == name {
			labelled += `{instance="till"}`
		}
		fmt.Fprintf(in, "      - {series: %q, values: '%s+0x10 %s+0x400'}\n", labelled, before, then[name])
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
