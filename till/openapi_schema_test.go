package till

import (
	"encoding"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tillway/emv"
	"tillway/money"
	"tillway/terminal"
)

// object is a JSON object of the description.
type object = map[string]any

// words are what the source says of its types: comments of types and fields, and the constants of types that are text.
type sourceWords struct {
	types  map[string]string // "till.Status"
	fields map[string]string // "till.Status.Printer"
	values map[string][]string
}

// described are the packages whose types the interface shows.
var described = []string{".", "../terminal", "../terminal/people", "../terminal/explain", "../terminal/receipt", "../terminal/spool", "../terminal/words", "../emv", "../money"}

// readWords reads the source of the packages that are described.
func readWords(t *testing.T) sourceWords {
	t.Helper()
	w := sourceWords{map[string]string{}, map[string]string{}, map[string][]string{}}
	set := token.NewFileSet()
	for _, folder := range described {
		names, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: no source: %v", folder, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(set, name, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range f.Decls {
				if g, ok := d.(*ast.GenDecl); ok {
					w.read(f.Name.Name, g)
				}
			}
		}
	}
	return w
}

func (w sourceWords) read(pkg string, g *ast.GenDecl) {
	last := ""
	for _, spec := range g.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			doc := s.Doc
			if doc == nil {
				doc = g.Doc
			}
			name := pkg + "." + s.Name.Name
			w.types[name] = oneParagraph(doc, s.Name.Name)
			if fields, ok := s.Type.(*ast.StructType); ok {
				for _, f := range fields.Fields.List {
					for _, n := range f.Names {
						w.fields[name+"."+n.Name] = oneParagraph(f.Comment, "")
					}
				}
			}
		case *ast.ValueSpec:
			if id, ok := s.Type.(*ast.Ident); ok {
				last = id.Name
			} else if s.Type != nil || g.Tok != token.CONST {
				last = ""
			}
			for _, v := range s.Values {
				if lit, ok := v.(*ast.BasicLit); ok && lit.Kind == token.STRING && last != "" && g.Tok == token.CONST {
					text, _ := strconv.Unquote(lit.Value)
					w.values[pkg+"."+last] = append(w.values[pkg+"."+last], text)
				}
			}
		}
	}
}

// oneParagraph is a comment as a description: "Status is the answer" becomes "The answer".
func oneParagraph(c *ast.CommentGroup, name string) string {
	if c == nil {
		return ""
	}
	text, _, _ := strings.Cut(strings.TrimSpace(c.Text()), "\n\n")
	text = strings.Join(strings.Fields(text), " ")
	for _, verb := range []string{" is ", " are "} {
		if rest, ok := strings.CutPrefix(text, name+verb); ok && name != "" {
			text = rest
		}
	}
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// schemas collects the components of the description.
type schemas struct {
	words sourceWords
	all   map[string]object
	of    map[string]reflect.Type
	t     *testing.T
}

var (
	textType = reflect.TypeFor[encoding.TextMarshaler]()
	jsonType = reflect.TypeFor[json.Marshaler]()
)

// schema is what a type looks like in JSON.
func (s *schemas) schema(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[money.Amount]():
		return s.component(t, "Amount", func() object {
			return object{
				"type": "object", "description": "Money in the currency's minor units: 10525 KWD is 10.525 dinars. GET /v1/status says how many decimals the currency has.",
				"required":   []string{"minor", "currency"},
				"properties": object{"minor": object{"type": "integer", "format": "int64"}, "currency": object{"type": "string", "description": "ISO 4217, like KWD; empty where there is no amount."}},
			}
		})
	case reflect.TypeFor[money.Currency]():
		return object{"type": "string", "description": "ISO 4217, like KWD."}
	case reflect.TypeFor[emv.Data]():
		return object{"type": "object", "description": "EMV data objects by tag, both in upper-case hex. No card data is among them.", "additionalProperties": object{"type": "string"}}
	}
	switch t.Kind() { //nolint:exhaustive // what is not here no answer has
	case reflect.Pointer:
		return s.schema(t.Elem())
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return object{"type": "string", "contentEncoding": "base64"}
		}
		return object{"type": []string{"array", "null"}, "items": s.schema(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.schema(t.Elem())}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Int32:
		return object{"type": "integer", "format": "int64"}
	case reflect.Uint, reflect.Uint64, reflect.Uint32, reflect.Uint8, reflect.Uint16:
		return object{"type": "integer", "format": "int64", "minimum": 0}
	case reflect.String:
		return s.text(t)
	case reflect.Struct:
		if t.Implements(jsonType) || t.Implements(textType) {
			s.t.Fatalf("%s writes itself: the description has to be told how", t)
		}
		return s.component(t, t.Name(), func() object { return s.structure(t) })
	}
	s.t.Fatalf("%s: nothing of that kind is described", t)
	return nil
}

// text is a type that is text: with its constants, where it has a name.
func (s *schemas) text(t reflect.Type) object {
	if t.PkgPath() == "" || t.Implements(textType) {
		return object{"type": "string"}
	}
	name := lastOf(t.PkgPath()) + "." + t.Name()
	values := slices.Clone(s.words.values[name])
	if len(values) < 2 {
		return object{"type": "string"}
	}
	return s.component(t, t.Name(), func() object {
		slices.Sort(values)
		return object{"type": "string", "description": s.words.types[name], "enum": slices.Compact(values)}
	})
}

func lastOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// component is a reference to a schema that has a name.
func (s *schemas) component(t reflect.Type, name string, how func() object) object {
	if other, there := s.of[name]; there && other != t {
		name = strings.ToUpper(lastOf(t.PkgPath())[:1]) + lastOf(t.PkgPath())[1:] + name // two packages have one of that name
	}
	if _, there := s.of[name]; !there {
		s.of[name] = t
		s.all[name] = object{} // a type that holds itself ends here
		s.all[name] = how()
	}
	return object{"$ref": "#/components/schemas/" + name}
}

// structure is a struct with its members, those of what it embeds among them.
func (s *schemas) structure(t reflect.Type) object {
	name := lastOf(t.PkgPath()) + "." + t.Name()
	properties, required := object{}, []string{}
	for f := range t.Fields() {
		tag := f.Tag.Get("json")
		member, options, _ := strings.Cut(tag, ",")
		if f.Anonymous && member == "" {
			inner := s.structure(f.Type)
			maps.Copy(properties, within(inner, "properties"))
			if r, ok := inner["required"].([]string); ok {
				required = append(required, r...)
			}
			continue
		}
		if !f.IsExported() || member == "-" {
			continue
		}
		if member == "" {
			s.t.Fatalf("%s.%s has no name in JSON", name, f.Name)
		}
		p := s.schema(f.Type)
		if d := s.words.fields[name+"."+f.Name]; d != "" {
			p = maps.Clone(p)
			p["description"] = d
		}
		if t == reflect.TypeFor[Me]() && member == "role" {
			p = object{"type": "string", "description": s.words.fields[name+".Role"]} // empty for a register
		}
		if t == reflect.TypeFor[terminal.Order]() && member == "amount" {
			p["description"] = "Of a void and a balance inquiry it may be left out."
			options = "omitted"
		}
		properties[member] = p
		if !strings.Contains(options, "omit") {
			required = append(required, member)
		}
	}
	out := object{"type": "object", "properties": properties}
	if d := s.words.types[name]; d != "" {
		out["description"] = d
	}
	if len(required) > 0 {
		slices.Sort(required)
		out["required"] = required
	}
	return out
}

// within is an object of an object, which is made where it is not there.
func within(o object, name string) object {
	inner, ok := o[name].(object)
	if !ok {
		inner = object{}
		o[name] = inner
	}
	return inner
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
