package config

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// LogDir is an entry of log.dirs: /var/lib/sordini, or with its class ssd:/var/lib/sordini.
type LogDir struct {
	Path     string
	Class    string // what storage.class asks for; "" if the entry names none
	Cordoned bool   // in cordoned.log.dirs: it gets no new partitions
}

// storageClass is the name of a class. One letter is a drive of Windows.
var storageClass = regexp.MustCompile(`^[a-z0-9_-]{2,32}$`)

// storageClassName accepts a class, or none.
var storageClassName = check{rule: "empty, or 2 to 32 of a-z, 0-9, _ and -", test: func(v value) *violation {
	if v.text != "" && !storageClass.MatchString(v.text) {
		return &violation{v.text, "Must be empty, or 2 to 32 characters out of a-z, 0-9, _ and -"}
	}
	return nil
}}

// parseLogDir reads an entry of log.dirs. What stands before a colon is a class if it
// looks like one; a directory with such a name is written with ./ before it.
func parseLogDir(text string) LogDir {
	if class, path, found := strings.Cut(text, ":"); found && storageClass.MatchString(class) {
		return LogDir{Class: class, Path: path}
	}
	return LogDir{Path: text}
}

// logDirs are the entries of log.dirs in order.
func (v *Values) logDirs() []LogDir {
	var dirs []LogDir
	cordoned := v.List("cordoned.log.dirs")
	for _, text := range v.List("log.dirs") {
		d := parseLogDir(text)
		d.Cordoned = slices.Contains(cordoned, "*") || slices.ContainsFunc(cordoned, func(c string) bool { return samePath(c, d.Path) })
		dirs = append(dirs, d)
	}
	return dirs
}

// metadataDir is where the metadata log is: metadata.log.dir, or the first of log.dirs.
func (v *Values) metadataDir() string {
	dirs, dir := v.logDirs(), v.String("metadata.log.dir")
	if dir == "" {
		return dirs[0].Path
	}
	for _, d := range dirs {
		if samePath(dir, d.Path) {
			return d.Path
		}
	}
	return dir
}

func samePath(a, b string) bool { return filepath.Clean(a) == filepath.Clean(b) }

// dirFaults checks the data directories.
func (v *Values) dirFaults() Faults {
	var faults Faults
	dirs := v.logDirs()
	fault := func(name, format string, args ...any) {
		faults = append(faults, Fault{v.Origin(name), invalidConfig(format, args...)})
	}
	for i, d := range dirs {
		if d.Path == "" {
			fault("log.dirs", "log.dirs names no directory")
			return faults
		}
		if slices.ContainsFunc(dirs[:i], func(o LogDir) bool { return samePath(o.Path, d.Path) }) {
			fault("log.dirs", "log.dirs names %s twice", d.Path)
		}
	}
	if len(dirs) == 0 {
		fault("log.dirs", "log.dirs names no directory")
	}
	for _, c := range v.List("cordoned.log.dirs") {
		if c != "*" && !slices.ContainsFunc(dirs, func(d LogDir) bool { return samePath(d.Path, c) }) {
			fault("cordoned.log.dirs", "cordoned.log.dirs names %s, which is not in log.dirs", c)
		}
	}
	return faults
}

// CheckStorageClass says whether a topic can be placed by a storage.class, if the
// directories have those classes. The error is ErrInvalidConfig with a text for clients.
func CheckStorageClass(class string, classes []string) error {
	switch {
	case class == "" || slices.Contains(classes, class):
		return nil
	case len(classes) == 0:
		return invalidConfig("Invalid value %s for configuration storage.class: no data directory has a class", class)
	}
	return invalidConfig("Invalid value %s for configuration storage.class: the data directories have the classes %s", class, strings.Join(classes, ", "))
}
