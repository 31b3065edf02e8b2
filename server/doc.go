/*
Package server builds all rooms, runs them, and shuts them down in order.

Start opens the data directory (taking its lock), recovers, and listens; nothing
is served before all partitions are ready. Stop stops accepting, lets the requests
that were read finish, flushes and closes the logs, and leaves the marker of a
clean shutdown.
*/
package server
