/*
Package catalogue holds the cases: what is asked of Kafka and of the server.

A case's name begins with its group, whose answers share a file. The groups:

	versions   every version of every API, once as it should be
	mutations  every field of every API, one after the other as it should not be
	the rest   sequences, by what they are about

Cases are played in the order of the list, in a [World] of a broker's settings.
Versions that Kafka no longer serves are left out, as there is nothing to compare.
*/
package catalogue
