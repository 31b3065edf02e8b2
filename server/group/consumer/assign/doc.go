/*
Package assign says which member of a consumer group is to have which partition, by
the rules of the assignors that Apache Kafka's server brings along.

	range    each topic on its own: its partitions in order, cut into ranges of
	         equal length for its subscribers in order. Topics with equally many
	         partitions and the same subscribers are cut alike, so that partitions
	         of one number come together at one member.
	uniform  as many partitions for each member as can be, and as few moves from
	         what is assigned now as that allows.

The subscribers' order for range is: static members by instance id, then the others
by member id. So a static member that comes back under a new id gets its own range.

Uniform is balanced if all members subscribe to the same topics: no member has two
partitions more than another. Where subscriptions differ, it moves single partitions
until no move from one subscriber of a topic to another helps, or it has gone round
all topics [rounds] times; what would need a chain of moves stays.

An assignment is a table with one owner for each partition, so no partition can have
two. Every partition of a topic with at least one subscriber has an owner, and no
others have.

All functions are pure and deterministic. With M members, P partitions, and S
subscriptions (pairs of member and topic), range takes O(M log M + P + S); so does
uniform for equal subscriptions, and else O(S + P log M) for each round.
*/
package assign
