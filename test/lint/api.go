package lint

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const apiDir = "server/api"

var (
	// apiFile is the name of a file that holds one API.
	apiFile = regexp.MustCompile(`^([0-9]{2,3})_([a-z0-9_]+)\.go$`)
	// apiComment is how the comment of its route begins.
	apiComment = regexp.MustCompile(`^(\w+) \(key (\d+)\), versions? (\d+)(?: to (\d+))?\b`)
)

// checkAPI: NN_name.go serves the API of key NN and that name, and the versions
// that its comment tells.
func (t *tree) checkAPI() {
	for _, f := range t.source() {
		m := apiFile.FindStringSubmatch(path.Base(f.path))
		if f.dir != apiDir || m == nil {
			continue
		}
		key, _ := strconv.Atoi(m[1]) // two or three digits
		name := kmsg.NameForKey(int16(key))
		if strings.ReplaceAll(m[2], "_", "") != strings.ToLower(name) {
			t.fault(f.path, "key %d is %s", key, name)
		}
		routes := routesOf(f.ast)
		if len(routes) != 1 {
			t.fault(f.path, "%d routes, want one", len(routes))
			continue
		}
		t.checkRoute(f, key, name, routes[0])
	}
}

// apiRoute is a route as it stands in the source.
type apiRoute struct {
	comment  string
	key      int    // -1 if the handler's request tells
	request  string // type of the handler's request, "" if key tells
	min, max int    // -1 if it could not be read
}

func (t *tree) checkRoute(f file, key int, name string, r apiRoute) {
	if r.key != key && r.request != name+"Request" {
		t.fault(f.path, "route of key %d, request %q, want key %d, %sRequest", r.key, r.request, key, name)
	}
	m := apiComment.FindStringSubmatch(r.comment)
	if m == nil {
		t.fault(f.path, "the comment of the route does not begin like: Name (key N), versions A to B")
		return
	}
	if m[4] == "" {
		m[4] = m[3]
	}
	told, _ := strconv.Atoi(m[2])
	low, _ := strconv.Atoi(m[3])
	high, _ := strconv.Atoi(m[4])
	if told != key {
		t.fault(f.path, "the comment tells key %d", told)
	}
	if !strings.EqualFold(m[1], name) {
		t.fault(f.path, "the comment tells of %s, want %s", m[1], name)
	}
	if low != r.min || high != r.max {
		t.fault(f.path, "the comment tells versions %d to %d, the route serves %d to %d", low, high, r.min, r.max)
	}
}

// routesOf finds the functions that return a wire.Route.
func routesOf(f *ast.File) []apiRoute {
	var all []apiRoute
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil || fn.Type.Results == nil || len(fn.Type.Results.List) != 1 || !isRoute(fn.Type.Results.List[0].Type) {
			continue
		}
		r := apiRoute{comment: fn.Doc.Text(), key: -1, min: -1, max: -1}
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				r.fromCall(f, n)
			case *ast.CompositeLit:
				r.fromLiteral(n)
			}
			return true
		})
		all = append(all, r)
	}
	return all
}

func isRoute(e ast.Expr) bool {
	s, ok := e.(*ast.SelectorExpr)
	return ok && s.Sel.Name == "Route"
}

// fromCall reads route(min, max, a.handler) and serve likewise.
func (r *apiRoute) fromCall(f *ast.File, c *ast.CallExpr) {
	name, ok := c.Fun.(*ast.Ident)
	if !ok || name.Name != "route" && name.Name != "serve" || len(c.Args) != 3 {
		return
	}
	r.min, r.max = intOf(c.Args[0]), intOf(c.Args[1])
	handler, ok := c.Args[2].(*ast.SelectorExpr)
	if !ok {
		return
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == handler.Sel.Name {
			r.request = requestOf(fn)
		}
	}
}

// requestOf is the name of the request type among a handler's parameters.
func requestOf(fn *ast.FuncDecl) string {
	for _, p := range fn.Type.Params.List {
		star, ok := p.Type.(*ast.StarExpr)
		if !ok {
			continue
		}
		s, ok := star.X.(*ast.SelectorExpr)
		if !ok {
			continue
		}
		if x, ok := s.X.(*ast.Ident); ok && x.Name == "kmsg" && strings.HasSuffix(s.Sel.Name, "Request") {
			return s.Sel.Name
		}
	}
	return ""
}

// fromLiteral reads wire.Route{Key: k, Min: a, Max: b}.
func (r *apiRoute) fromLiteral(l *ast.CompositeLit) {
	if !isRoute(l.Type) {
		return
	}
	for _, e := range l.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		field, ok := kv.Key.(*ast.Ident)
		if !ok {
			continue
		}
		switch field.Name {
		case "Key":
			r.key = intOf(kv.Value)
		case "Min":
			r.min = intOf(kv.Value)
		case "Max":
			r.max = intOf(kv.Value)
		}
	}
}

// intOf is the value of a number in the source, -1 if e is none.
func intOf(e ast.Expr) int {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.INT {
		return -1
	}
	n, err := strconv.Atoi(l.Value)
	if err != nil {
		return -1
	}
	return n
}
