package till

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tillway/terminal/people"
)

var update = flag.Bool("update", false, "write openapi.json and the table of errors in docs/integrators.md anew")

const again = "run go test ./till -run TestOpenAPI -update, look at the difference, and commit it"

// TestOpenAPI: openapi.json is what the route table, the types and their comments say.
func TestOpenAPI(t *testing.T) {
	text, err := json.MarshalIndent(describe(t), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile("openapi.json", text, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(text) != readFile(t, "openapi.json") {
		t.Error("openapi.json is not what the code says: " + again)
	}
}

// describe makes the description.
func describe(t *testing.T) object {
	t.Helper()
	s := &schemas{words: readWords(t), all: map[string]object{}, of: map[string]reflect.Type{}, t: t}
	all, paths := operations(), object{}
	for _, r := range (&handler{}).routes() {
		o, ok := all[r.pattern]
		if !ok {
			t.Errorf("%s is in the route table and not described: add it to openapi_operations_test.go, then %s", r.pattern, again)
			continue
		}
		delete(all, r.pattern)
		method, path, _ := strings.Cut(r.pattern, " ")
		within(paths, path)[strings.ToLower(method)] = s.operation(r, o)
	}
	for pattern := range all {
		t.Errorf("%s is described and not in the route table", pattern)
	}
	s.schema(reflect.TypeFor[StateEvent]())
	s.problem(t)
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Tillway", "version": "1",
			"description": "The local interface of a payment terminal: orders for payments, what becomes of them, and what an operator asks for. The same routes are behind three doors: a unix socket for programs of the machine, loopback HTTP for the cashier's screen, and TLS for cash registers. docs/integrators.md begins with the first sale.",
			"license":     object{"name": "Apache 2.0", "identifier": "Apache-2.0"},
		},
		"servers":  []object{{"url": "https://localhost:8443", "description": "The door for cash registers ([ecr] listen)."}},
		"security": []object{{"token": []string{}}},
		"paths":    paths,
		"components": object{
			"schemas":         s.all,
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer", "description": "A cash register's token (pos ecr add), or a person's session (POST /v1/login)."}},
		},
	}
}

// operation is one route's description.
func (s *schemas) operation(r route, o operation) object {
	method, path, _ := strings.Cut(r.pattern, " ")
	text := o.text
	switch {
	case r.needs != "":
		text += fmt.Sprintf("\n\nNeeds the right `%s`.", r.needs)
	case path == openAPIPath:
	default:
		text += "\n\nThe right that it needs is judged by what is asked for."
	}
	if method == http.MethodGet {
		text += "\n\nIt changes nothing."
	} else {
		text += "\n\nTwice: " + o.once
	}
	out := object{"operationId": operationID(r.pattern), "tags": []string{o.tag}, "summary": o.summary, "description": text, "x-right": string(r.needs)}
	if path == openAPIPath {
		out["security"] = []object{}
	}
	if p := s.parameters(path, o); len(p) > 0 {
		out["parameters"] = p
	}
	if o.takes != "" {
		out["requestBody"] = object{"required": true, "content": object{o.takes: object{"schema": object{"type": "string", "format": "binary"}}}}
	}
	if o.body != nil {
		out["requestBody"] = object{"required": !o.optional, "content": object{"application/json": object{"schema": s.value(o.body), "example": o.body}}}
	}
	out["responses"] = s.responses(r, o)
	return out
}

var notLetter = regexp.MustCompile(`[^a-z]+`)

func operationID(pattern string) string {
	return strings.Trim(notLetter.ReplaceAllString(strings.ToLower(strings.ReplaceAll(pattern, "/v1", "")), "_"), "_")
}

var inPath = regexp.MustCompile(`\{([a-z]+)\}`)

func (s *schemas) parameters(path string, o operation) (all []object) {
	for _, m := range inPath.FindAllStringSubmatch(path, -1) {
		p := object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "integer", "format": "int64", "minimum": 1}, "example": 1042}
		if m[1] == "name" {
			p["schema"], p["example"] = object{"type": "string"}, "till-3"
		}
		all = append(all, p)
	}
	for _, q := range o.query {
		all = append(all, object{"name": q.name, "in": "query", "description": q.text, "schema": q.schema, "example": q.example})
	}
	return all
}

// value is the schema of an example's type.
func (s *schemas) value(v any) object {
	if t := reflect.TypeOf(v); t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Bool {
		properties, required := object{}, []string{}
		for _, k := range reflect.ValueOf(v).MapKeys() {
			properties[k.String()] = object{"type": "boolean"}
			required = append(required, k.String())
		}
		return object{"type": "object", "properties": properties, "required": required}
	}
	if t := reflect.TypeOf(v); t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Interface {
		return object{"type": "object"}
	}
	if reflect.TypeOf(v) == reflect.TypeFor[struct{}]() {
		return object{"type": "object", "maxProperties": 0}
	}
	return s.schema(reflect.TypeOf(v))
}

// always are the problems that any route may answer, or any that needs a right.
var always = []string{"not_local", "internal", "stopping", "too_many_tries", "training"}

func (s *schemas) responses(r route, o operation) object {
	content := object{"application/json": object{"schema": s.value(o.answer), "example": o.answer}}
	if o.kind != "" {
		content = object{o.kind: object{"schema": object{"type": "string"}, "example": o.answer}}
	}
	if slices.ContainsFunc(o.query, func(p parameter) bool { return p.name == "dots" }) {
		for _, kind := range []string{"text/plain", "text/html", "image/png"} {
			content[kind] = object{"schema": object{"type": "string"}}
		}
	}
	status := o.status
	if status == 0 {
		status = http.StatusOK
	}
	out := object{strconv.Itoa(status): object{"description": o.summary, "content": content}}
	codes := slices.Concat(o.problems, always)
	if !strings.HasSuffix(r.pattern, openAPIPath) {
		codes = append(codes, "log_in")
	}
	if r.needs != "" || strings.HasPrefix(r.pattern, "POST /v1/sales") {
		codes = append(codes, "not_allowed", "override_refused")
	}
	byStatus := map[int][]string{}
	known := problemCodes(s.t)
	for _, c := range codes {
		p, ok := known[c]
		if !ok {
			s.t.Errorf("%s answers %q, which no problem has", r.pattern, c)
		}
		if !slices.Contains(byStatus[p.status], c) {
			byStatus[p.status] = append(byStatus[p.status], c)
		}
	}
	for status, codes := range byStatus {
		slices.Sort(codes)
		out[strconv.Itoa(status)] = object{
			"description": "A problem: " + strings.Join(codes, ", "),
			"content": object{"application/problem+json": object{
				"schema":  object{"$ref": "#/components/schemas/Problem"},
				"example": Problem{Type: "urn:tillway:problem:" + codes[0], Title: known[codes[0]].title, Status: status, Code: codes[0], Do: known[codes[0]].do},
			}},
		}
	}
	return out
}

// problem adds the problems' own schema, with every code there is.
func (s *schemas) problem(t *testing.T) {
	t.Helper()
	s.schema(reflect.TypeFor[Problem]())
	var codes []string
	for c := range problemCodes(t) {
		codes = append(codes, c)
	}
	slices.Sort(codes)
	within(s.all["Problem"], "properties")["code"] = object{"type": "string", "enum": codes, "description": "Stable word for programs."}
}

// known is a problem as the source has it.
type knownProblem struct {
	status    int
	title, do string
}

// problemCodes reads every problem that the package can answer: the rows of its tables, and those made in place.
func problemCodes(t *testing.T) map[string]knownProblem {
	t.Helper()
	out := map[string]knownProblem{}
	for _, row := range slices.Concat(problems(), problemsOfPeople(), problemsOfECRs(), problemsOfPrinter(), problemsOfParameters()) {
		out[row.code] = knownProblem{row.status, row.title, row.do}
	}
	maps.Copy(out, map[string]knownProblem{ // what problem says of errors that are in no table, and the weaker word where two share a code
		"internal": {500, "The terminal has an internal fault", "See the terminal's log. Look the last sale up in the journal before you repeat it."},
		"stopping": {503, "The terminal is stopping, or the request was given up", "Ask again. A sale that was started goes on: ask for it by its number or its key."},
	})
	for _, q := range []question{signatureQuestion, agreementQuestion, meantQuestion} {
		out[q.code] = knownProblem{http.StatusBadRequest, "The answer cannot be read", q.shape}
	}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 4 {
				return true
			}
			if id, ok := call.Fun.(*ast.Ident); !ok || id.Name != "request" {
				return true
			}
			code := constant(call.Args[1])
			if _, there := out[code]; code != "" && !there {
				out[code] = knownProblem{statusOf(t, call.Args[0]), constant(call.Args[2]), constant(call.Args[3])}
			}
			return true
		})
	}
	return out
}

// constant is a string that is written in place, or nothing.
func constant(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(e.Value)
		return text
	case *ast.BinaryExpr:
		if left, right := constant(e.X), constant(e.Y); left != "" && right != "" {
			return left + right
		}
	}
	return ""
}

func statusOf(t *testing.T, e ast.Expr) int {
	t.Helper()
	sel, ok := e.(*ast.SelectorExpr)
	for n := 400; ok && n < 600; n++ {
		if text := http.StatusText(n); text != "" && sel.Sel.Name == "Status"+strings.NewReplacer(" ", "", "-", "", "'", "").Replace(text) {
			return n
		}
	}
	t.Fatalf("a problem's status is written in another way: %v", e)
	return 0
}

const problemsHead = "| Code | Status | What it says | What to do |\n| --- | --- | --- | --- |\n"

// TestOpenAPIProblems: docs/integrators.md has every problem, with what it says and what to do, and openapi.json says which routes have it.
func TestOpenAPIProblems(t *testing.T) {
	known := problemCodes(t)
	var codes []string
	described := readFile(t, "openapi.json")
	for c, p := range known {
		codes = append(codes, c)
		if c == "method" || c == "no_such_path" {
			continue // of no route
		}
		if !*update && !strings.Contains(described, `"description": "A problem: `) {
			t.Fatal("no problem is described")
		}
		if p.title == "" {
			t.Errorf("%s has no title that could be read", c)
		}
	}
	slices.Sort(codes)
	table := problemsHead
	for _, c := range codes {
		table += fmt.Sprintf("| `%s` | %d | %s | %s |\n", c, known[c].status, known[c].title, strings.ReplaceAll(known[c].do, "|", "\\|"))
	}
	const page = "../docs/integrators.md"
	text := readFile(t, page)
	before, _, _ := strings.Cut(text, problemsHead)
	if *update {
		if err := os.WriteFile(page, []byte(strings.TrimRight(before, "\n")+"\n\n"+table), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if strings.TrimRight(before, "\n")+"\n\n"+table != text {
		t.Error("the table of errors in docs/integrators.md is not what the code says: " + again)
	}
}

// Every code is some route's, or of no route at all.
func TestOpenAPICodesAreRoutes(t *testing.T) {
	used := map[string]bool{"method": true, "no_such_path": true, "log_in": true, "not_allowed": true, "override_refused": true}
	for _, c := range always {
		used[c] = true
	}
	for _, o := range operations() {
		for _, c := range o.problems {
			used[c] = true
		}
	}
	for c := range problemCodes(t) {
		if !used[c] {
			t.Errorf("no route is described with the problem %s: add it to openapi_operations_test.go, then %s", c, again)
		}
	}
}

// TestOpenAPIIsServed: anybody gets it, as it is in the repository.
func TestOpenAPIIsServed(t *testing.T) {
	if *update {
		return // the program was built with the one before
	}
	d, _ := registeredDesk(t, newScript(t))
	w := d.ask("", "GET", "/v1/openapi.json", "")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" || !bytes.Equal(w.Body.Bytes(), []byte(readFile(t, "openapi.json"))) {
		t.Errorf("%d %s", w.Code, w.Header().Get("Content-Type"))
	}
	for _, a := range people.Actions() {
		if !strings.Contains(w.Body.String(), `"`+string(a)+`"`) {
			t.Errorf("the right %s is nowhere in it", a)
		}
	}
}
