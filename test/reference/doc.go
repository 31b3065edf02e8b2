/*
Package reference lays the answers of the server beside those of Apache Kafka.

The cases are in package catalogue. Kafka's answers to them are recorded in
testdata/kafka-4.3.0, a file for each group of cases; the test plays the cases at a
server of its own and compares field by field. What is masked before is told by
package answer. A difference fails the test unless it is in the list of [Deviations],
and so does a deviation that no case meets any more. README.md shows that list.

	go test ./test/reference              compares with the recorded answers
	go test -v ./test/reference           tells how much of the protocol the cases cover
	KAFKA_REFERENCE=SCRIPT go test ...    plays the cases at a Kafka too, which SCRIPT starts when
	                                      called with: serve DIR PORT key=value...
	KAFKA_REFERENCE=SCRIPT go test ... -update
	                                      records anew

Kafka takes two ports each, from 21000 to 21999 and 10,000 above.

A new case goes into package catalogue and is recorded; its answers may hold nothing
that depends on time or on the machine. A difference is mended in the server, or
declared here with the reason for it.
*/
package reference
