package lint

import (
	"bufio"
	"errors"
	"go/ast"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// layers is the import order: a package imports those of earlier rows only.
// Think before moving a row: the order is what keeps a part understandable alone.
var layers = [][]string{
	{"protocol", "protocol/batch", "protocol/guard", "protocol/guard/gen", "index", "segment/vfs", "zerocopy"},
	{"segment"},
	{"log/producer", "log/epoch", "log/checkpoint", "log/compact"},
	{"log", "log/journal"},
	{"server/config", "server/metrics", "server/meta", "server/takeover/kraft"},
	{"server/wire", "server/partition", "server/takeover"},
	{"server/audit"},
	{"server/group/record"},
	{"server/group/step"},
	{"server/group/classic", "server/group/consumer/assign", "server/group/offset"},
	{"server/group/consumer"},
	{"server/group/shard"},
	{"server/group"},
	{"server/api"},
	{"server/admin"},
	{"server", "server/cmd/inspect", "server/cmd/doctor"},
	{"server/cmd"},
	{".", "test", "test/lint"},
	{"test/bench/report", "test/bench/proc", "test/bench/raw"},
	{"test/bench/floor"},
	{"test/bench"},
	{"test/reference/answer", "test/reference/mutate"},
	{"test/reference/play"},
	{"test/reference/catalogue"},
	{"test/reference"},
	{"test/javacheck/output"},
	{"test/javacheck"},
}

const (
	maxFuncLines = 70
	maxFileLines = 800
)

// banned are package names that say nothing of what is inside.
var banned = []string{"util", "utils", "common", "misc", "helper", "helpers", "shared", "lib"}

// topLevel are the names at the root. Dot-files come as they like.
var topLevel = []string{"README.md", "go.mod", "go.sum", "index", "log", "main.go", "protocol", "scripts", "segment", "server", "test", "zerocopy"}

func (t *tree) checkImports() {
	rank := make(map[string]int)
	for i, row := range layers {
		for _, dir := range row {
			rank[dir] = i
		}
	}
	for _, f := range t.files {
		if f.own {
			continue // the compiler keeps it from what is not its own
		}
		from, ok := rank[f.dir]
		if !ok {
			t.fault(f.path, "package %s has no layer", f.dir)
			continue
		}
		for _, im := range f.ast.Imports {
			to, ours := strings.CutPrefix(strings.Trim(im.Path.Value, `"`), module+"/")
			if !ours || f.test && to == f.dir {
				continue
			}
			below, known := rank[to]
			switch {
			case (f.dir == "test" || strings.HasPrefix(f.dir, "test/")) && !strings.HasPrefix(to, "test/"):
				t.fault(f.path, "imports %s, and tests of the whole import nothing of it", to)
			case !known || below >= from:
				t.fault(f.path, "imports %s, which is not below it", to)
			}
		}
	}
}

// checkComments: each package has one comment, and none that a blank line has
// taken from it.
func (t *tree) checkComments() {
	count := make(map[string]int)
	for _, f := range t.source() {
		count[f.dir] += 0
		if f.ast.Doc != nil {
			count[f.dir]++
		}
		for _, c := range f.ast.Comments {
			text := c.Text()
			about := strings.HasPrefix(text, "Package "+f.ast.Name.Name) || strings.HasPrefix(text, "Command ")
			if c.End() < f.ast.Package && c != f.ast.Doc && about {
				t.fault(f.path, "package comment lost to a blank line")
			}
		}
	}
	for dir, n := range count {
		if n != 1 {
			t.fault(dir, "%d package comments, want one", n)
		}
	}
	for _, f := range t.files {
		if f.test && f.ast.Doc != nil {
			t.fault(f.path, "package comment in a test")
		}
	}
}

func (t *tree) checkLengths() {
	for _, f := range t.files {
		if ast.IsGenerated(f.ast) {
			continue
		}
		if n := t.fset.File(f.ast.FileStart).LineCount(); n > maxFileLines {
			t.fault(f.path, "%d lines, at most %d", n, maxFileLines)
		}
		if f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := t.line(fn.End()) - t.line(fn.Pos()) + 1; n > maxFuncLines {
				t.fault(f.path, "%s has %d lines, at most %d", fn.Name.Name, n, maxFuncLines)
			}
		}
	}
}

func (t *tree) checkNames() {
	for _, f := range t.files {
		if name := strings.TrimSuffix(f.ast.Name.Name, "_test"); slices.Contains(banned, name) || slices.Contains(banned, path.Base(f.dir)) {
			t.fault(f.path, "package name %s says nothing", name)
		}
	}
}

// checkTop: the root holds the fixed names, all of them, and nothing else but
// what is ignored by name.
func (t *tree) checkTop() error {
	ignored, err := os.ReadFile(filepath.Join(t.root, ".gitignore"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	entries, err := os.ReadDir(t.root)
	if err != nil {
		return err
	}
	found := make(map[string]bool)
	for _, e := range entries {
		name := e.Name()
		found[name] = true
		built := slices.ContainsFunc(strings.Fields(string(ignored)), func(p string) bool { return strings.TrimSuffix(p, "/") == "/"+name })
		if !slices.Contains(topLevel, name) && !strings.HasPrefix(name, ".") && !built {
			t.fault(name, "no such name at the top level")
		}
	}
	for _, name := range topLevel {
		if !found[name] {
			t.fault(name, "missing at the top level")
		}
	}
	return nil
}

// checkModFile: replace directives keep go install from working.
func (t *tree) checkModFile() error {
	f, err := os.Open(filepath.Join(t.root, "go.mod"))
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if strings.HasPrefix(strings.TrimSpace(lines.Text()), "replace") {
			t.fault("go.mod", "replace directive")
		}
	}
	return lines.Err()
}
