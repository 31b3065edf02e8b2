package main

import (
	"go/ast"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	readCall     = regexp.MustCompile(`^v := b\.(\w+)\(\)$`)
	embedded     = regexp.MustCompile(`^v := &s\.(\w+)$`)
	oldSlice     = regexp.MustCompile(`^v := s\.(\w+)$`)
	declareValue = regexp.MustCompile(`^var v (\*?string|\[\]byte)$`)
	declareEnum  = regexp.MustCompile(`^var t (\w+)$`)
	readEnum     = regexp.MustCompile(`^\{\s*v := b\.(\w+)\(\)\s+t = \w+\(v\)\s*\}$`)
	assignField  = regexp.MustCompile(`^s\.(\w+) = v$`)
	assignElem   = regexp.MustCompile(`^a\[i\] = v$`)
	newStruct    = regexp.MustCompile(`^s\.(\w+) = new\((\w+)\)$`)
	setDefault   = regexp.MustCompile(`^v\.Default\(\)$`)
	nameStruct   = regexp.MustCompile(`^s := v$`)
	elemAddress  = regexp.MustCompile(`^v := &a\[i\]$`)
	presence     = regexp.MustCompile(`^present := b\.Int8\(\)$`)
	nullSince    = regexp.MustCompile(`^version < (\d+)( \|\| l == 0)?$`)
	makeSlice    = regexp.MustCompile(`make\(\[\](\[16\]byte|\w+), l\)`)
)

// value parses the statements that read one value and assign it to a field or
// to an array element.
func (p *source) value(stmts []ast.Stmt) (*node, error) {
	if st, ok := first(stmts).(*ast.IfStmt); ok && st.Init != nil && presence.MatchString(p.text(st.Init)) {
		return p.nullableStruct(st)
	}
	if m := p.match(stmts, 0, readCall); m != nil {
		return p.fixed(stmts, m[1], 1)
	}
	if p.match(stmts, 0, declareEnum) != nil {
		m := p.match(stmts, 1, readEnum)
		if m == nil {
			return nil, p.errorf(stmts[0], "unknown form of an enumeration")
		}
		return p.fixed(stmts, m[1], 3)
	}
	if m := p.match(stmts, 0, declareValue); m != nil {
		return p.sized(stmts, m[1])
	}
	if m := p.match(stmts, 0, embedded); m != nil {
		n := newNode("kindStruct")
		n.name = m[1]
		return n, p.structBody(n, stmts[1:])
	}
	if m := p.match(stmts, 0, oldSlice); m != nil {
		return p.array(stmts, m[1])
	}
	return nil, p.errorf(first(stmts), "unknown form of a value: %s", p.text(first(stmts)))
}

// fixed describes a value that the reader's method call reads; stmts[target]
// assigns it.
func (p *source) fixed(stmts []ast.Stmt, call string, target int) (*node, error) {
	width, ok := fixedWidths[call]
	if !ok {
		return nil, p.errorf(stmts[0], "reader call %s is not of a fixed size", call)
	}
	n := newNode("kindFixed")
	n.width = width
	return n, p.target(n, stmts, target)
}

// target names n after the field that the last statement, stmts[i], assigns.
func (p *source) target(n *node, stmts []ast.Stmt, i int) error {
	if i == len(stmts)-1 {
		if m := p.match(stmts, i, assignField); m != nil {
			n.name = m[1]
			return nil
		}
		if p.match(stmts, i, assignElem) != nil {
			return nil
		}
	}
	return p.errorf(stmts[0], "the value read here is assigned in an unknown way")
}

// sized describes a string or bytes. Its variants (compact or not, aliasing
// or not) are calls in nested conditions and differ by prefix alone.
func (p *source) sized(stmts []ast.Stmt, goType string) (*node, error) {
	if len(stmts) != 3 {
		return nil, p.errorf(stmts[0], "unknown form of a string")
	}
	calls := p.readerCalls(stmts[1])
	n := newNode("kindString")
	n.boxed = goType == "*string"
	switch strings.Join(calls, " ") {
	case "String":
	case "NullableString":
		n.nullable = 0
	case "Bytes":
		n.kind = "kindBytes"
	case "NullableBytes":
		n.kind, n.nullable = "kindBytes", 0
	case "NullableString String":
		st, ok := stmts[1].(*ast.IfStmt)
		if !ok {
			return nil, p.errorf(stmts[1], "unknown form of nullability")
		}
		m := nullSince.FindStringSubmatch(p.text(st.Cond))
		if m == nil {
			return nil, p.errorf(st, "unknown condition of nullability")
		}
		n.nullable, _ = strconv.Atoi(m[1])
	default:
		return nil, p.errorf(stmts[1], "unknown reader calls %v", calls)
	}
	return n, p.target(n, stmts, 2)
}

// readerCalls returns the sorted set of the methods called on b below root,
// without the prefixes that do not change the kind of the value.
func (p *source) readerCalls(root ast.Node) []string {
	var calls []string
	ast.Inspect(root, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || p.text(sel.X) != "b" {
			return true
		}
		name := strings.TrimPrefix(sel.Sel.Name, "Unsafe")
		calls = append(calls, strings.TrimPrefix(name, "Compact"))
		return true
	})
	slices.Sort(calls)
	return slices.Compact(calls)
}

// structBody parses "v.Default(); s := v" and the fields that follow.
func (p *source) structBody(n *node, stmts []ast.Stmt) error {
	if p.match(stmts, 0, setDefault) == nil || p.match(stmts, 1, nameStruct) == nil {
		return p.errorf(first(stmts), "unknown start of a structure")
	}
	return p.structure(n, stmts[2:])
}

func (p *source) nullableStruct(st *ast.IfStmt) (*node, error) {
	stmts := st.Body.List
	m := p.match(stmts, 0, newStruct)
	if m == nil || p.match(stmts, 1, oldSlice) == nil {
		return nil, p.errorf(st, "unknown form of a nullable structure")
	}
	n := newNode("kindStructOrNull")
	n.name, n.goType, n.nullable = m[1], m[2], 0
	return n, p.structBody(n, stmts[2:])
}

// array parses the statements that read an array into the field name.
func (p *source) array(stmts []ast.Stmt, name string) (*node, error) {
	n := newNode("kindArray")
	n.name = name
	var loop *ast.ForStmt
	for _, st := range stmts {
		switch st := st.(type) {
		case *ast.ForStmt:
			if loop != nil {
				return nil, p.errorf(st, "a second loop in an array")
			}
			loop = st
		case *ast.IfStmt:
			if m := nullSince.FindStringSubmatch(p.text(st.Cond)); m != nil {
				n.nullable, _ = strconv.Atoi(m[1])
			}
			if m := makeSlice.FindStringSubmatch(p.text(st.Body)); m != nil {
				n.goType = m[1]
			}
		}
	}
	if len(stmts) < 4 || p.text(stmts[1]) != "a := v" {
		return nil, p.errorf(stmts[0], "unknown start of an array")
	}
	lengths := p.readerCalls(stmts[3])
	if loop == nil || n.goType == "" || !slices.Equal(lengths, []string{"ArrayLen"}) {
		return nil, p.errorf(stmts[0], "unknown form of an array")
	}
	elem, err := p.element(loop.Body.List)
	n.elem = elem
	return n, err
}

// element parses the body of the loop that reads an array's elements.
func (p *source) element(stmts []ast.Stmt) (*node, error) {
	if p.match(stmts, 0, elemAddress) == nil {
		return p.value(stmts)
	}
	n := newNode("kindStruct")
	return n, p.structBody(n, stmts[1:])
}
