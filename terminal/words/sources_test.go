package words_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tillway/terminal/words"
)

// A place is source whose sentences reach a cashier or a customer.
type place struct {
	glob string
	// out are the beginnings of sentences that reach neither: of the technician's screens, of papers, of packages' panics.
	out []string
}

func places() []place {
	return []place{
		{"../outcome.go", nil},
		{"../question.go", nil},
		{"../offline.go", nil},
		{"../lane/*.go", []string{"Book ", "The bank is ", "No card is "}},
		{"../../till/training/*.go", nil},
		{"../../iso8583/dialect/dialect.go", nil},
		{"../../iso8583/dialect/*/codes.go", nil},
	}
}

// sentence is what a person is told: it begins with a capital letter, has a space, and ends.
var sentence = regexp.MustCompile(`^[A-Z].* .*[.?]$`)

// TestEverySentenceHasArabic reads the sources: whatever sentence they can say has to be in the catalogue. Holes are tried with what can
// stand in them.
func TestEverySentenceHasArabic(t *testing.T) {
	seen := 0
	for _, p := range places() {
		files, err := filepath.Glob(p.glob)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", p.glob, len(files), err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, text := range texts(t, file) {
				if !sentence.MatchString(text) || outside(p, text) {
					continue
				}
				seen++
				if !known(text) {
					t.Errorf("%s: no Arabic: %q", file, text)
				}
			}
		}
	}
	if seen < 150 {
		t.Errorf("only %d sentences were found: this test reads the wrong places", seen)
	}
}

// TestEveryRefusalHasArabic: what stands behind "order refused", and what is refused about debts and batches.
func TestEveryRefusalHasArabic(t *testing.T) {
	seen := 0
	for _, file := range []string{"../order.go", "../earlier.go", "../lane/earlier.go", "../lane/kinds.go", "../errors.go", "../../till/problem.go", "../../till/access.go", "../../till/printer.go"} {
		for _, text := range refusals(t, file) {
			seen++
			if !known(text) && !slices.Contains(beginnings, text) {
				t.Errorf("%s: no Arabic: %q", file, text)
			}
		}
	}
	if seen < 120 {
		t.Errorf("only %d refusals were found: this test reads the wrong places", seen)
	}
}

// beginnings are never said alone.
var beginnings = []string{"order refused", "note refused", "the acquirer's keys are not loaded"}

func outside(p place, text string) bool {
	for _, begin := range p.out {
		if strings.HasPrefix(text, begin) {
			return true
		}
	}
	return false
}

// hole stands for what is put in at run time.
const hole = "\x00"

// known tries a text with everything that its holes may hold.
func known(text string) bool {
	before, after, holed := strings.Cut(text, hole)
	if !holed {
		_, whole := words.Arabic(text)
		return whole
	}
	for _, what := range []string{"7", "KWD 1.000", "refund", "a void", "tip", "KWD", "sell", "Approved", "cashier, supervisor", "476173******0119", `"x"`, "USD", "3 min", "advice", "the record does not authenticate: it is in quarantine", "The card was not read.", ""} {
		if known(before + what + after) {
			return true
		}
	}
	return false
}

var verb = regexp.MustCompile(`%[.0-9]*[a-zA-Z]`)

// flat is an expression as a text with holes; false for one that is no text.
func flat(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		s, err := strconv.Unquote(e.Value)
		return verb.ReplaceAllString(s, hole), err == nil
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			return "", false
		}
		left, l := flat(e.X)
		right, r := flat(e.Y)
		if !l && !r {
			return "", false
		}
		if !l {
			left = hole
		}
		if !r {
			right = hole
		}
		return left + right, true
	}
	return "", false
}

// texts are all texts of a file, those that are put together from several whole and not in pieces.
func texts(t *testing.T, file string) (all []string) {
	t.Helper()
	inspect(t, file, func(n ast.Node) bool {
		if _, ok := n.(*ast.ImportSpec); ok {
			return false
		}
		e, ok := n.(ast.Expr)
		if !ok {
			return true
		}
		text, is := flat(e)
		if !is {
			return true
		}
		for strings.HasPrefix(text, hole+" ") { // behind another sentence, which is a text of its own
			text = text[len(hole)+1:]
		}
		all = append(all, strings.TrimSpace(text))
		return false
	})
	return all
}

// refusals are the texts of errors, and titles and hints of the problems that go with them.
func refusals(t *testing.T, file string) (all []string) {
	t.Helper()
	inspect(t, file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			name := ""
			switch f := n.Fun.(type) {
			case *ast.SelectorExpr:
				name = f.Sel.Name
			case *ast.Ident:
				name = f.Name
			}
			if (name == "Refuse" || name == "New") && len(n.Args) > 0 {
				if text, ok := flat(n.Args[0]); ok {
					all = append(all, text)
				}
			}
		case *ast.CompositeLit: // {err, status, code, title, do}
			if len(n.Elts) != 5 {
				return true
			}
			for _, e := range n.Elts[3:] {
				if text, ok := flat(e); ok {
					all = append(all, text)
				}
			}
		}
		return true
	})
	return all
}

func inspect(t *testing.T, file string, visit func(ast.Node) bool) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, visit)
}
