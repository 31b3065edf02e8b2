/*
Package play sends the requests of a case to a broker and keeps the answers.

A [Case] is a function that takes a [Play] and asks. What it asks may depend on what
was answered before: topic ids, member ids, offsets. It may not depend on which
broker answers, so that two brokers' answers can be laid side by side. [Run] plays
one case and returns its answers.

Names of topics and groups begin with the name of the case, which keeps cases apart
that share a broker. A case that no broker should share says so.

Waiting: a broker may take a moment until what it has acknowledged holds everywhere.
[Play.Topic] and the like wait until it does, [Play.Until] waits for anything; what
is asked while waiting is no part of the answers.

Restarts: [Play.Restart] has the broker end, by a stop or a kill, and begin again with
its data, and waits until all that the case has made is served; [Play.RestartCold]
does not wait.
*/
package play
