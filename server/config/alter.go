package config

import (
	"maps"
	"slices"
	"strings"
)

// OpType is what IncrementalAlterConfigs does to one setting (KIP-339). Its numbers are the wire's.
type OpType int8

// The operations.
const (
	OpSet      OpType = 0
	OpDelete   OpType = 1 // back to what stands in for it
	OpAppend   OpType = 2 // add items to a list, those that it lacks
	OpSubtract OpType = 3 // take items from a list
)

// Op is one operation on one setting. Value is nil for null, which only OpDelete takes.
type Op struct {
	Type  OpType
	Name  string
	Value *string
}

// ApplyIncremental returns the resource's own settings after the operations; current stays as it is. An append
// or subtract where nothing is set begins with the default of the table, as in Kafka. It checks names and
// operations; the values of the result are checked by the scope's Validate function. The error is
// ErrInvalidConfig or ErrInvalidRequest.
func ApplyIncremental(scope Scope, current map[string]string, ops []Op) (map[string]string, error) {
	next := maps.Clone(current)
	if next == nil {
		next = make(map[string]string)
	}
	seen := make(map[string]bool, len(ops))
	for _, op := range ops {
		if seen[op.Name] {
			return nil, invalidRequest("Error due to duplicate config keys: %s", op.Name)
		}
		seen[op.Name] = true
		if err := op.apply(scope, next); err != nil {
			return nil, err
		}
	}
	return next, nil
}

func (op Op) apply(scope Scope, configs map[string]string) error {
	if op.Type == OpDelete {
		delete(configs, op.Name) // a name that this version does not know can be cleared too
		return nil
	}
	if op.Value == nil {
		return invalidRequest("Null value not supported for : %s", op.Name)
	}
	s := table.find(scope, op.Name)
	if s == nil {
		return unknownConfig(scope, op.Name)
	}
	if op.Type == OpSet {
		configs[op.Name] = *op.Value
		return nil
	}
	if op.Type != OpAppend && op.Type != OpSubtract {
		return invalidRequest("Unknown operation %d for config %s", op.Type, op.Name)
	}
	if s.Kind != List {
		return invalidConfig("Can't %s to key %s because its type is not LIST.", op.Type, op.Name)
	}
	before, ok := configs[op.Name]
	if !ok {
		before = s.Default
	}
	list, items := splitList(before), splitList(*op.Value)
	list = slices.DeleteFunc(list, func(item string) bool {
		return op.Type == OpSubtract && slices.Contains(items, item)
	})
	if op.Type == OpAppend {
		list = splitList(strings.Join(append(list, items...), ","))
	}
	configs[op.Name] = strings.Join(list, ",")
	return nil
}

// String returns Kafka's name of the operation.
func (t OpType) String() string {
	if t < OpSet || t > OpSubtract {
		return "UNKNOWN"
	}
	return [...]string{"SET", "DELETE", "APPEND", "SUBTRACT"}[t]
}

// ValidateDynamic checks a whole set of dynamic broker settings before they are stored: for all brokers
// (cluster) or for one. Settings that are read once at the start, name files or classes, or may be set for one
// broker only are refused. Unlike Kafka, which stores any unknown name, it refuses those too. The error is
// ErrInvalidConfig for names and ErrInvalidRequest for the rest, as in Kafka.
func (v Values) ValidateDynamic(cluster bool, configs map[string]string) error {
	var readOnly, perBroker []string
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		s := table.find(BrokerScope, name)
		switch {
		case s == nil:
			return unknownConfig(BrokerScope, name)
		case s.Dynamic == ReadOnly:
			readOnly = append(readOnly, name)
		case s.Dynamic == PerBroker && cluster:
			perBroker = append(perBroker, name)
		}
	}
	if len(readOnly) > 0 {
		return invalidRequest("Cannot update these configs dynamically: [%s]", strings.Join(readOnly, ", "))
	}
	if len(perBroker) > 0 {
		return invalidRequest("Cannot update these configs at default cluster level, broker id must be specified: [%s]",
			strings.Join(perBroker, ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		if err := table.find(BrokerScope, name).Validate(configs[name]); err != nil {
			return invalidRequest("%s", err)
		}
	}
	return v.conflictAfter(cluster, configs)
}

// conflictAfter checks how the settings would go together with the others in force.
func (v Values) conflictAfter(cluster bool, configs map[string]string) error {
	changed := perBrokerLayer
	if cluster {
		changed = clusterLayer
	}
	next := v
	var faults Faults
	next.layers[changed] = dynamicLayer(configs, changed, "", &faults)
	next.resolveAll()
	if errs := next.conflicts(); len(errs) > 0 {
		return invalidRequest("%s", errs[0])
	}
	return nil
}
