/*
Package lint holds the shape of the source against its rules: who may import whom,
how long functions and files may be, that every package has its comment, that the
files of the API say what they do.

A rule has no list of exceptions. Check reads a tree from disk and returns one line
for each fault; it changes nothing and keeps nothing.
*/
package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// module is the path by which packages of this tree are imported.
const module = "sordini"

// tree is the source as it was read.
type tree struct {
	root   string
	fset   *token.FileSet
	files  []file
	faults []string
}

// file is one Go file.
type file struct {
	path string // below the root, with slashes
	dir  string // of path, "." for the root
	test bool
	own  bool // of a module of its own, below the root
	ast  *ast.File
}

// Check reads the tree below root and returns its faults in the order of their
// text. The error is that of reading or parsing.
func Check(root string) ([]string, error) {
	t, err := read(root)
	if err != nil {
		return nil, err
	}
	t.checkImports()
	t.checkComments()
	t.checkLengths()
	t.checkNames()
	t.checkAPI()
	for _, check := range []func() error{t.checkTop, t.checkModFile} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	sort.Strings(t.faults)
	return t.faults, nil
}

func read(root string) (*tree, error) {
	t := &tree{root: root, fset: token.NewFileSet()}
	var modules []string // directories of modules of their own
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := path != root && strings.HasPrefix(d.Name(), ".")
		if _, err := os.Stat(filepath.Join(path, "go.mod")); d.IsDir() && path != root && err == nil {
			modules = append(modules, path+string(filepath.Separator))
		}
		if d.IsDir() && (hidden || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || hidden || filepath.Ext(path) != ".go" {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(t.fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		t.files = append(t.files, file{
			path: rel, dir: filepath.ToSlash(filepath.Dir(rel)), test: strings.HasSuffix(rel, "_test.go"), ast: parsed,
			own: slices.ContainsFunc(modules, func(dir string) bool { return strings.HasPrefix(path, dir) }),
		})
		return nil
	})
	if err == nil && len(t.files) == 0 {
		err = fmt.Errorf("no Go files below %s", root)
	}
	return t, err
}

// fault notes a fault at a place of the tree.
func (t *tree) fault(where, format string, args ...any) {
	t.faults = append(t.faults, where+": "+fmt.Sprintf(format, args...))
}

// line is the number of a position's line.
func (t *tree) line(p token.Pos) int { return t.fset.Position(p).Line }

// source returns the files that are not tests.
func (t *tree) source() []file {
	var all []file
	for _, f := range t.files {
		if !f.test {
			all = append(all, f)
		}
	}
	return all
}
