/*
Package answer turns what a broker answers into text that can be laid beside what
another broker answers.

An [Answer] is a heading and a list of fields, each a path into the response and a
value as text. Fields that have the protocol's default are left out, so that an
answer is as long as it says something. What differs between any two brokers, or
two runs of one, and means nothing is masked by the [Masks] of a case:

	throttle times               left out
	times near now               now
	topic, directory, member ids numbered in order of appearance: id1, uuid1
	producer and session ids     numbered likewise
	leader epochs                counted by kills of the broker, as Kafka counts twice
	addresses, directories       PORT, DIR
	the cluster's id             cluster
	names of the case            begin with ~ instead
	texts for people             text, if there is one; their words are free
	the order of some arrays     sorted, where Kafka takes that of a hash table

Record batches are decoded, so that the fields the broker sets are seen one by one.
What kmsg does not tell apart is seen by encoding the response again: if other bytes
come out, the answer has a field that says so.

Answers are kept in files: [Write] and [Read].
*/
package answer
