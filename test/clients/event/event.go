package event

// Kind says what happened.
type Kind string

// Kinds that members tell. Assigned adds partitions and Revoked takes them away, with
// eager clients as with cooperative ones. Assigned is told before the first record is
// read, Revoked when the last commit is done.
const (
	Assigned  Kind = "assigned"
	Revoked   Kind = "revoked"   // by the group, in order
	Lost      Kind = "lost"      // by the group, without the chance of a commit
	Records   Kind = "records"   // First to Last of Partition were processed
	Committed Kind = "committed" // Offset of Partition was committed
	Note      Kind = "note"      // Text is worth knowing, and not wrong
	Fault     Kind = "fault"     // Text is wrong whatever the others tell
)

// Kinds that the scenario adds.
const (
	Killed   Kind = "killed"   // by SIGKILL; Offsets stood when the process had ended
	Exited   Kind = "exited"   // in order
	Standing Kind = "standing" // Offsets are the group's commits
	Resumed  Kind = "resumed"  // Member is about to start alone; Offsets stand
)

// Event is one thing that happened.
type Event struct {
	At         int64   `json:"at"` // Unix time in nanoseconds
	Member     string  `json:"member,omitempty"`
	Kind       Kind    `json:"event"`
	Generation int32   `json:"generation,omitempty"` // of Assigned: generation or member epoch, 0 if the client hides it
	Partitions []int32 `json:"partitions,omitempty"` // of Assigned, Revoked, Lost
	Partition  int32   `json:"partition"`            // of Records, Committed
	First      int64   `json:"first"`                // of Records
	Last       int64   `json:"last"`                 // of Records, inclusive
	Offset     int64   `json:"offset"`               // of Committed
	Offsets    []int64 `json:"offsets,omitempty"`    // by partition, 0 where nothing is committed
	Text       string  `json:"text,omitempty"`
}
