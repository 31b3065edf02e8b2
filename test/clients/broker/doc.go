/*
Package broker runs the server that clients are tried with: sordini, or Kafka by a
script, as a process of its own on a free port with a directory of its own. It can be
killed and started again. A Broker is for one goroutine.
*/
package broker
