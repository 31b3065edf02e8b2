/*
Command clients proves consumer groups of a server with the client libraries that
people use. By default it plays the story of package scenario with each of them and
prints a table; other modes run franz-go's own tests of groups and crowds of members.

It is a module of its own, so that the libraries stay out of the server's. The script
scripts/clients builds it, installs what else is needed, and runs it.
*/
package main
