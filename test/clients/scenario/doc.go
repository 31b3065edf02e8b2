/*
Package scenario plays one story with each client: three members of a group read and
commit while records come in all the time, one is killed, one joins, all stop in
order, and one more goes on where their commits stand. What members tell and what the
scenario did to them goes to package check.

The scenario waits for what members tell, not for time. It reads the group's commits
itself, several times a second, as some clients hide theirs.
*/
package scenario
