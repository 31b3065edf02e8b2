/*
Package foreign makes members of consumer groups of programs that are not Go: kcat,
KafkaJS under node, and Kafka's own VerifiableConsumer. It knows their command lines
and makes events of what they print. Parsing is pure; a line that is not understood
is no event.
*/
package foreign
