// Command gen writes schema_gen.go of package guard: the wire layout of every
// request that kmsg can decode, read from kmsg's own decoders.
//
// The decoders are generated code of a few regular forms. Each XxxRequest
// method readFrom is parsed with go/ast and matched statement by statement; a
// statement of an unknown form is an error that names its position, so that a
// new kmsg release either yields a right table or none. The output depends on
// kmsg's source alone and is deterministic.
//
// Run it by go generate in the folder of package guard.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// kmsgPath is the module whose decoders are described.
const kmsgPath = "github.com/twmb/franz-go/pkg/kmsg"

func main() {
	if err := run("schema_gen.go"); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// run writes the schema file to path.
func run(path string) error {
	out, err := generate()
	if err != nil {
		return err
	}
	return os.WriteFile(path, out, 0o644)
}

// generate returns the gofmt'ed contents of schema_gen.go for the kmsg module
// that the main module requires.
func generate() ([]byte, error) {
	dir, err := moduleDir(kmsgPath)
	if err != nil {
		return nil, err
	}
	requests, err := parseRequests(filepath.Join(dir, "generated.go"))
	if err != nil {
		return nil, err
	}
	return emit(requests)
}

// moduleDir returns the folder that holds the source of a required module.
func moduleDir(module string) (string, error) {
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go list -m %s: %w: %s", module, err, bytes.TrimSpace(stderr.Bytes()))
	}
	dir := string(bytes.TrimSpace(out))
	if dir == "" {
		return "", fmt.Errorf("go list -m %s: the module has not been downloaded", module)
	}
	return dir, nil
}
