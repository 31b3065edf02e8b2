package config

import (
	"slices"
	"strings"
)

// environmentPrefixes begin the names of variables that are settings; of two that name one setting, the later
// prefix wins.
var environmentPrefixes = []string{"KAFKA_", "SORDINI_"}

// ignoredVariables are variables with a prefix of ours that are not settings: those of Kafka's start scripts
// and container images.
var ignoredVariables = []string{
	"KAFKA_CLUSTER_ID",
	"KAFKA_DEBUG",
	"KAFKA_GC_LOG_OPTS",
	"KAFKA_HEAP_OPTS",
	"KAFKA_HOME",
	"KAFKA_JMX_HOSTNAME",
	"KAFKA_JMX_OPTS",
	"KAFKA_JMX_PORT",
	"KAFKA_JVM_PERFORMANCE_OPTS",
	"KAFKA_MODE",
	"KAFKA_OPTS",
	"KAFKA_REFERENCE", // of this project's own tests
	"KAFKA_TOOLS_LOG4J_LOGLEVEL",
	"KAFKA_USER",
	"KAFKA_VERSION",
}

// ignoredFamilies begin, after a prefix of ours, the names of further variables that are not settings: LOG4J
// those of Kafka's images, the others those that Kubernetes gives to pods for a service named kafka or sordini.
var ignoredFamilies = []string{"LOG4J_", "SERVICE_HOST", "SERVICE_PORT", "PORT_"}

// IgnoredVariables returns the environment variables that look like settings and are none; a * stands for any
// ending.
func IgnoredVariables() []string {
	names := slices.Clone(ignoredVariables)
	for _, prefix := range environmentPrefixes {
		names = append(names, prefix+"PORT")
		for _, family := range ignoredFamilies {
			names = append(names, prefix+family+"*")
		}
	}
	slices.Sort(names)
	return names
}

// EnvironmentName returns the variable that sets a broker setting, by the rule of Kafka's images: a dot becomes
// _, an underscore __, a hyphen ___.
func EnvironmentName(setting string) string {
	return "SORDINI_" + strings.ToUpper(strings.NewReplacer(".", "_", "_", "__", "-", "___").Replace(setting))
}

// variable is an environment variable that sets something.
type variable struct {
	name    string
	setting string
	value   string
}

// settingsOf picks the variables that are settings, in the order in which they apply.
func settingsOf(environ []string) []variable {
	var found []variable
	for _, prefix := range environmentPrefixes {
		for _, entry := range environ {
			name, value, ok := strings.Cut(entry, "=")
			if !ok || !strings.HasPrefix(name, prefix) || ignoredVariable(prefix, name) {
				continue
			}
			found = append(found, variable{name, settingName(name[len(prefix):]), value})
		}
	}
	return found
}

func ignoredVariable(prefix, name string) bool {
	rest := name[len(prefix):]
	return rest == "" || rest == "PORT" || slices.Contains(ignoredVariables, name) ||
		slices.ContainsFunc(ignoredFamilies, func(family string) bool { return strings.HasPrefix(rest, family) })
}

// settingName turns the rest of a variable's name into the name of a setting: ___ means a hyphen, __ an
// underscore, _ a dot.
func settingName(rest string) string {
	return strings.NewReplacer("___", "-", "__", "_", "_", ".").Replace(strings.ToLower(rest))
}
