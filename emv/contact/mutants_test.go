package contact_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A mutant is one rule of the books switched off: in one function of the kernel old becomes new, and the named test has to
// fail. Files are of this folder unless they say otherwise.
type mutant struct {
	section  string
	rule     string // what is switched off
	file     string
	old, new string // old stands once in the file
	test     string
}

const chosenMutant = "TILLWAY_MUTANT" // the number of the mutant that a run is to have, from 1

// TestRulesSwitchedOff builds the kernel once with every mutant in it, each beside the function it replaces, and runs each
// one's test with it chosen: it fails. With none chosen all these tests pass, so it is the rule that they hold to.
func TestRulesSwitchedOff(t *testing.T) {
	table := slices.Concat(mutants(), authenticationMutants(), verificationMutants())
	program := mutantProgram(t, table)
	var tests []string
	for _, m := range table {
		tests = append(tests, m.test)
	}
	slices.Sort(tests)
	if out, err := runMutant(t, program, 0, strings.Join(slices.Compact(tests), "|")); err != nil {
		t.Fatalf("with no rule switched off: %v\n%s", err, out)
	}
	var running sync.WaitGroup
	turn := make(chan struct{}, 2)
	for i, m := range table {
		running.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			out, err := runMutant(t, program, i+1, m.test)
			if fails := regexp.MustCompile(`(?m)^(--- FAIL: ` + m.test + ` |panic: )`); err == nil || !fails.MatchString(out) {
				t.Errorf("%s, %s: %s does not notice: %v", m.section, m.rule, m.test, err)
			}
		})
	}
	running.Wait()
}

func runMutant(t *testing.T, program string, number int, tests string) (string, error) {
	cmd := exec.CommandContext(t.Context(), program, "-test.run", "^("+tests+")$", "-test.timeout", "60s") //nolint:gosec // built here
	cmd.Env = append(os.Environ(), chosenMutant+"="+strconv.Itoa(number))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// mutantProgram builds this folder's tests over the changed files.
func mutantProgram(t *testing.T, table []mutant) string {
	t.Helper()
	folder := t.TempDir()
	replace, laid := map[string]string{}, 0
	lay := func(file, text string) {
		laid++
		path := filepath.Join(folder, fmt.Sprintf("%d.go", laid))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		absolute, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		replace[absolute] = path
	}
	byFile := map[string][]int{}
	for i, m := range table {
		byFile[m.file] = append(byFile[m.file], i)
	}
	for file, numbers := range byFile {
		text, pkg := withMutants(t, file, table, numbers)
		lay(file, text)
		lay(filepath.Join(filepath.Dir(file), "mutation_chosen.go"), "package "+pkg+`

import "os"

var chosenMutant = os.Getenv("`+chosenMutant+`")
`)
	}
	overlay := filepath.Join(folder, "overlay.json")
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err == nil {
		err = os.WriteFile(overlay, list, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(folder, "contact.test")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", program, ".") //nolint:gosec // of our own table
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the mutants do not build: %v\n%s", err, out)
	}
	return program
}

// withMutants is a file in which each function that mutants change has become a choice between itself and them.
func withMutants(t *testing.T, file string, table []mutant, numbers []int) (text, pkg string) {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	at := func(p token.Pos) int { return set.Position(p).Offset }
	text = string(source)
	for _, d := range slices.Backward(parsed.Decls) {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		from, to := at(f.Pos()), at(f.End())
		if f.Doc != nil {
			from = at(f.Type.Func)
		}
		body := string(source[from:to])
		var mine []int
		for _, n := range numbers {
			if m := table[n]; strings.Contains(body, m.old) {
				mine = append(mine, n)
			}
		}
		if len(mine) > 0 {
			text = text[:from] + choice(string(source), at, f, body, table, mine) + text[to:]
		}
	}
	for _, n := range numbers {
		if m := table[n]; strings.Count(string(source), m.old) != 1 || !strings.Contains(text, mutantName("", n)) {
			t.Fatalf("%s, %s: %s has to hold %q once, in a function", m.section, m.rule, m.file, m.old)
		}
	}
	return text, parsed.Name.Name
}

func mutantName(function string, number int) string {
	return fmt.Sprintf("%sWithMutant%dx", function, number+1)
}

// choice is the function as it was and its mutants, under names of their own, and under its name what chooses.
func choice(source string, at func(token.Pos) int, f *ast.FuncDecl, body string, table []mutant, mine []int) string {
	name := f.Name.Name
	rename := func(body, to string) string {
		i := at(f.Name.Pos()) - at(f.Type.Func)
		return body[:i] + to + body[i+len(name):]
	}
	var params, args []string
	for _, field := range f.Type.Params.List {
		kind := source[at(field.Type.Pos()):at(field.Type.End())]
		for range max(1, len(field.Names)) {
			p := fmt.Sprintf("p%d", len(params))
			params = append(params, p+" "+kind)
			if strings.HasPrefix(kind, "...") {
				p += "..."
			}
			args = append(args, p)
		}
	}
	receiver, call := "", ""
	if f.Recv != nil {
		receiver, call = "("+"r "+source[at(f.Recv.List[0].Type.Pos()):at(f.Recv.List[0].Type.End())]+") ", "r."
	}
	results, give := "", ""
	if f.Type.Results != nil {
		results, give = source[at(f.Type.Results.Pos()):at(f.Type.Results.End())], "return "
	}
	var b strings.Builder
	fmt.Fprintf(&b, "func %s%s(%s) %s {\n\tswitch chosenMutant {\n", receiver, name, strings.Join(params, ", "), results)
	after := ""
	for _, n := range mine {
		to := mutantName(name, n)
		fmt.Fprintf(&b, "\tcase \"%d\":\n\t\t%s%s%s(%s)\n", n+1, give, call, to, strings.Join(args, ", "))
		after += "\n\n" + rename(strings.Replace(body, table[n].old, table[n].new, 1), to)
	}
	fmt.Fprintf(&b, "\tdefault:\n\t\t%s%s%sAsItIs(%s)\n\t}\n}\n\n", give, call, name, strings.Join(args, ", "))
	return b.String() + rename(body, name+"AsItIs") + after
}
