package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// unset marks a version bound, a nullability or a tag that a node lacks.
const unset = -1

// request is one request type of kmsg.
type request struct {
	typeName string // "ProduceRequest"
	key      int
	max      int   // highest version
	flexible int   // first flexible version, or unset
	body     *node // the fields, as a structure
}

// node is a field, or the element of an array (then without a name).
type node struct {
	name     string
	kind     string // name of package guard's constant
	width    int    // of kindFixed, in bytes
	min, max int    // versions that have the field; max may be unset
	nullable int    // first version that admits null, or unset
	boxed    bool   // a *string in Go
	goType   string // element type of an array, or the type behind a pointer
	elem     *node
	fields   []*node
	tagged   []*node
	tag      int
}

func newNode(kind string) *node {
	return &node{kind: kind, max: unset, nullable: unset, tag: unset}
}

// fixedWidths holds the wire width of each reader call of a fixed size.
var fixedWidths = map[string]int{
	"Bool": 1, "Int8": 1, "Int16": 2, "Uint16": 2, "Int32": 4, "Uint32": 4,
	"Int64": 8, "Float64": 8, "Uuid": 16,
}

// parseRequests reads every request type of kmsg's generated source, in the
// order of their keys.
func parseRequests(path string) ([]*request, error) {
	p := &source{fset: token.NewFileSet()}
	file, err := parser.ParseFile(p.fset, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	byType := make(map[string]*request)
	for _, d := range file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv == nil {
			continue
		}
		name := strings.TrimPrefix(p.text(fn.Recv.List[0].Type), "*")
		if !strings.HasSuffix(name, "Request") {
			continue
		}
		r := byType[name]
		if r == nil {
			r = &request{typeName: name, key: unset, max: unset, flexible: unset}
			byType[name] = r
		}
		if err := p.method(r, fn); err != nil {
			return nil, err
		}
	}
	return complete(byType)
}

// complete checks that each request was fully described and orders them.
func complete(byType map[string]*request) ([]*request, error) {
	var requests []*request
	for name, r := range byType {
		if r.body == nil && r.key == unset {
			continue // a nested structure whose name ends in Request
		}
		if r.body == nil || r.key == unset || r.max == unset {
			return nil, fmt.Errorf("%s lacks one of Key, MaxVersion and readFrom", name)
		}
		requests = append(requests, r)
	}
	if len(requests) == 0 {
		return nil, errors.New("no request type found")
	}
	slices.SortFunc(requests, func(a, b *request) int { return a.key - b.key })
	for i := 1; i < len(requests); i++ {
		if requests[i].key == requests[i-1].key {
			return nil, fmt.Errorf("%s and %s have the same key", requests[i-1].typeName, requests[i].typeName)
		}
	}
	return requests, nil
}

// source renders and locates parts of the parsed file.
type source struct {
	fset *token.FileSet
}

func (p *source) text(n ast.Node) string {
	var b strings.Builder
	if err := printer.Fprint(&b, p.fset, n); err != nil {
		return ""
	}
	return b.String()
}

// first returns the statement to name in an error about stmts.
func first(stmts []ast.Stmt) ast.Stmt {
	if len(stmts) == 0 {
		return &ast.EmptyStmt{}
	}
	return stmts[0]
}

func (p *source) errorf(n ast.Node, format string, args ...any) error {
	return fmt.Errorf("%s: %s", p.fset.Position(n.Pos()), fmt.Sprintf(format, args...))
}

// match returns the submatches of pattern in the source text of stmts[i], or
// nil when the statement has another form or there is none.
func (p *source) match(stmts []ast.Stmt, i int, pattern *regexp.Regexp) []string {
	if i < 0 || i >= len(stmts) {
		return nil
	}
	return pattern.FindStringSubmatch(p.text(stmts[i]))
}

var (
	returnNumber = regexp.MustCompile(`^return (\d+)$`)
	setFlexible  = regexp.MustCompile(`^isFlexible := version >= (\d+)$`)
	preamble     = regexp.MustCompile(`^(v\.Default\(\)|b := kbin\.Reader\{Src: src\}|version := v\.Version|_ = version|_ = isFlexible|s := v)$`)
	finish       = regexp.MustCompile(`^return b\.Complete\(\)$`)
)

// method takes from fn what it says of r, if it is one of the three methods
// that matter.
func (p *source) method(r *request, fn *ast.FuncDecl) error {
	switch fn.Name.Name {
	case "Key", "MaxVersion":
		m := p.match(fn.Body.List, 0, returnNumber)
		if m == nil {
			return p.errorf(fn, "%s returns no literal", fn.Name.Name)
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return p.errorf(fn, "%v", err)
		}
		if fn.Name.Name == "Key" {
			r.key = n
		} else {
			r.max = n
		}
	case "readFrom":
		return p.readFrom(r, fn.Body.List)
	}
	return nil
}

func (p *source) readFrom(r *request, stmts []ast.Stmt) error {
	i := 0
	for ; i < len(stmts); i++ {
		if m := p.match(stmts, i, setFlexible); m != nil {
			r.flexible, _ = strconv.Atoi(m[1])
		} else if p.match(stmts, i, preamble) == nil {
			break
		}
	}
	last := len(stmts) - 1
	if p.match(stmts, last, finish) == nil {
		return p.errorf(first(stmts), "readFrom does not end in b.Complete")
	}
	r.body = newNode("kindStruct")
	return p.structure(r.body, stmts[i:last])
}

var (
	fromVersion  = regexp.MustCompile(`^version >= (\d+)$`)
	versionRange = regexp.MustCompile(`^version >= (\d+) && version <= (\d+)$`)
)

// structure parses the statements that read the fields of n.
func (p *source) structure(n *node, stmts []ast.Stmt) error {
	for _, st := range stmts {
		body, min, max := []ast.Stmt(nil), 0, unset
		switch st := st.(type) {
		case *ast.BlockStmt:
			body = st.List
		case *ast.IfStmt:
			cond := p.text(st.Cond)
			if cond == "isFlexible" {
				if err := p.tags(n, st.Body.List); err != nil {
					return err
				}
				continue
			}
			body = st.Body.List
			if m := fromVersion.FindStringSubmatch(cond); m != nil {
				min, _ = strconv.Atoi(m[1])
			} else if m := versionRange.FindStringSubmatch(cond); m != nil {
				min, _ = strconv.Atoi(m[1])
				max, _ = strconv.Atoi(m[2])
			} else {
				return p.errorf(st, "unknown condition %s", cond)
			}
		default:
			return p.errorf(st, "unknown statement in a structure")
		}
		f, err := p.value(body)
		if err != nil {
			return err
		}
		if f.name == "" {
			return p.errorf(st, "the value is assigned to no field")
		}
		f.min, f.max = min, max
		n.fields = append(n.fields, f)
	}
	return nil
}

var (
	plainTags = regexp.MustCompile(`^s\.UnknownTags = internalReadTags\(&b\)$`)
	tagReader = regexp.MustCompile(`^b := kbin\.Reader\{Src: b\.Span\(int\(b\.Uvarint\(\)\)\)\}$`)
)

// tags parses the statements that read the tag section of n.
func (p *source) tags(n *node, stmts []ast.Stmt) error {
	if len(stmts) == 1 && p.match(stmts, 0, plainTags) != nil {
		return nil
	}
	loop, ok := first(stmts).(*ast.ForStmt)
	if !ok || len(stmts) != 1 || len(loop.Body.List) != 1 {
		return p.errorf(first(stmts), "unknown tag section")
	}
	sw, ok := loop.Body.List[0].(*ast.SwitchStmt)
	if !ok {
		return p.errorf(loop, "unknown tag loop")
	}
	for _, c := range sw.Body.List {
		clause, ok := c.(*ast.CaseClause)
		if !ok || clause.List == nil {
			continue // default: an unknown tag
		}
		tag, err := strconv.Atoi(p.text(clause.List[0]))
		if err != nil || len(clause.List) != 1 {
			return p.errorf(clause, "a tag case must have one literal")
		}
		body := clause.Body
		if p.match(body, 0, tagReader) == nil || len(body) < 3 {
			return p.errorf(clause, "unknown tag case")
		}
		f, err := p.value(body[1 : len(body)-1]) // the last one checks the inner reader
		if err != nil {
			return err
		}
		f.tag = tag
		n.tagged = append(n.tagged, f)
	}
	return nil
}
