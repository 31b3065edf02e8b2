/*
Package check judges what the members of a consumer group told: whether each record
was processed, whether a partition had two owners, whether records were repeated that
no kill explains, and whether commits were kept.

It is a function of the events alone and keeps nothing.
*/
package check
