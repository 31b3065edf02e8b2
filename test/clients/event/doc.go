/*
Package event is the language in which members of consumer groups tell what befell
them: one JSON object a line. Members write it, the scenario collects it and adds what
it did to them, and the check judges the collection.

A Writer may be used by many goroutines. Events of one member are in the order of
their times; those of different members compare by their clocks, which are one as they
run on one machine.
*/
package event
