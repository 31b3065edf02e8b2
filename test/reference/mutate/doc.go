/*
Package mutate makes requests that are wrong in one field out of one that is right.

[Of] lists what can be done to the fields of a request at its version: null where
null cannot be, empty, unknown, duplicate, oversized, numbers at the bounds of their
type. A [Mutation] is then applied to another request of the same shape, so that each
may have topics and groups of its own. Only the first element of an array is changed.
*/
package mutate
