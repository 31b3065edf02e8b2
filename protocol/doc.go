// Package protocol holds the small helpers of the Kafka wire protocol that every
// room of the house may use: rules and names that clients and servers agree on,
// independent of any one API.
//
// The message types themselves come from kmsg; record batches are in package
// batch, checks of untrusted frames in package guard. Nothing here knows of
// storage, connections or configuration.
//
// All functions are pure and may be called concurrently.
package protocol
