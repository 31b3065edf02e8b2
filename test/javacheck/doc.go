/*
Javacheck runs Kafka's own Java tools and clients against a sordini and against an
Apache Kafka, both fresh, and compares what each tool prints, to stdout and stderr, and
its exit status. scripts/java-check builds and calls it.

The checks are lists, a file for each kind of tool: topics.go, configs.go, produce.go,
records.go, groups.go, cluster.go, programs.go (processes of their own: verifiable
clients, Streams, Connect) and files.go, where Kafka's reader of segment files is given
the files of both servers once they have stopped. They are played in this order, and a
check may need those before it. Most run in one JVM that stays, see jvm/Tools.java.

What differs by its nature is taken out by the rules of package output, each with a
reason. A tool that needs an API which sordini does not advertise is not run, and is
listed with that reason, see absent.go; once the API is advertised, it is a failure
that there are no checks for it.
*/
package main
