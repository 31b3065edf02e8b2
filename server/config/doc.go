// Package config is the one table of settings, and everything that is derived from it: the keys of the
// configuration file, of the environment and of --set, their validation, the answers of DescribeConfigs, the
// checks of AlterConfigs, and the reference page.
//
// # Names
//
// Names, types, defaults and messages are those of Apache Kafka 4.3.0. Every public setting of its broker is
// known here, so that a server.properties written for Kafka loads; a setting that has no effect here says so
// (AcceptedOnly). Where a default differs on purpose, a test lists it. A setting that would promise what the
// server does not do (an authorizer, a policy class, remote storage) is refused instead of ignored.
//
// # Layers
//
// A broker setting is looked for in the dynamic configuration of this broker, in the dynamic configuration of
// the cluster, in the flags, in the environment, in the file, in the profile, and in the table, in this order. Settings with
// several names (log.retention.ms, .minutes, .hours) are looked for by all their names in one layer before the
// next one is asked: a higher layer wins over a finer unit. A topic's or group's own setting comes before all
// of them.
//
// # What it does not know
//
// It opens no file, reads no environment and stores nothing: callers hand in bytes and maps and keep the
// dynamic configuration. It does not know what the settings do.
//
// # Concurrency
//
// The table never changes after the program has started. Values and Broker are immutable snapshots, safe for
// any number of goroutines; a change of the dynamic configuration makes new ones.
//
// # Errors
//
// Load reports all faults at once, each with the place it comes from (Faults). Checks of changes asked for by
// clients return errors that are ErrInvalidConfig or ErrInvalidRequest and whose text is meant for the client.
// Getters panic when they are asked for a name that the table lacks or for another type than the table's: that
// is a fault of the program, never of its input.
package config
