/*
Package api answers the requests of the Kafka protocol: one file for each API,
NN_name.go, where NN is its key, and one route table, from which dispatch and
ApiVersions are derived.

A handler checks the request, calls package partition, and fills the answer. It
keeps no state but what is named in [API]. Errors of the rooms below become codes
in one place, errors.go.

The order of checks is Kafka's. Where the answer differs from Kafka's on purpose,
the file says so at its top, and the README lists it.
*/
package api
