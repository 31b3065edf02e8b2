package doctor

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// Limits of what is well. The alert rules have the same.
const (
	slowFlush     = 0.05 // seconds, of the 99th percentile
	verySlowFlush = 0.1
	warnRatio     = 0.8 // of a file system
	fullRatio     = 0.9
	oldCheckpoint = 600 // seconds

	someFlushes = 10 // from as many on, one that is slow does not count
)

// Judge says what two samples of a server, taken some time apart, tell.
func Judge(before, after Sample, apart time.Duration) []Finding {
	if _, ok := after["sordini_offline_logs"]; !ok {
		return []Finding{{Critical, "server", "what answers has no metrics of sordini", "the address is another program's, or a much older version's", "give the address of admin.listen with --admin"}}
	}
	if f, starting := judgeStart(after); starting {
		return []Finding{f}
	}
	findings := []Finding{judgeFlush(before, after, apart)}
	findings = append(append(findings, judgeDirs(after)...), judgeDirFlushes(before, after)...)
	used := after.byLabel("sordini_disk_used_ratio", "dir")
	states := after.byLabel("sordini_disk_state", "dir")
	for _, dir := range slices.Sorted(maps.Keys(used)) {
		findings = append(findings, judgeDisk(dir, used[dir], states[dir]))
	}
	findings = append(findings, judgeLogs(after), judgeReads(after))
	broken := after.byLabel("sordini_journal_broken", "dir")
	ages := after.byLabel("sordini_checkpoint_age_seconds", "dir")
	dirs := maps.Clone(ages)
	maps.Copy(dirs, broken)
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		where := ""
		if len(dirs) > 1 {
			where = dir + ": "
		}
		findings = append(findings, judgeCheckpoint(where, ages[dir]), judgeJournal(where, broken[dir]))
	}
	return findings
}

func judgeFlush(before, after Sample, apart time.Duration) Finding {
	const name = "sordini_flush_duration_seconds"
	buckets := window(before, after, name)
	n := 0.0
	if len(buckets) > 0 {
		n = buckets[len(buckets)-1].count
	}
	share := 0.99
	if n >= someFlushes {
		share = min(share, 1-1/n) // a single slow one proves nothing
	}
	p99 := quantile(share, buckets)
	if math.IsNaN(p99) {
		return fine("flush", fmt.Sprintf("nothing was flushed in %v", apart))
	}
	what := fmt.Sprintf("%.3g %% of %.0f flushes in %v took at most %.3g ms", 100*share, n, apart, 1000*p99)
	if p99 <= slowFlush {
		return fine("flush", what)
	}
	f := Finding{Warning, "flush", what, "the disk is slow to confirm fsync (more than 50 ms): it is busy with other work, slow by itself, or behind a network", slowFlushCure}
	if p99 > verySlowFlush {
		f.Severity = Critical
		f.Cause = "the disk is very slow to confirm fsync (more than 100 ms), and every write with acks=all waits for it: it is overloaded, failing, or behind a network"
	}
	return f
}

// judgeDirs judges what was found out about data directories as a whole.
func judgeDirs(after Sample) (findings []Finding) {
	offline, syncs := after.byLabel("sordini_dir_offline", "dir"), after.byLabel("sordini_dir_probe_sync_seconds", "dir")
	speeds := after.byLabel("sordini_dir_probe_bytes_per_second", "dir")
	for _, dir := range slices.Sorted(maps.Keys(offline)) {
		took, known := syncs[dir]
		what := fmt.Sprintf("%s took %.3g ms for a small write and wrote %.3g MB a second when it was probed at the start", dir, 1000*took, speeds[dir]/1e6)
		switch {
		case offline[dir] > 0:
			findings = append(findings, Finding{Critical, "directory", dir + " is offline with all its partitions; the other directories go on",
				"its disk has failed or is not mounted, or it could not be opened; the server's log says why (\"data directory\")",
				"look for disk errors in the kernel's log (dmesg, smartctl), or mount the disk; when it is sound, restart the server: it brings back all that was acknowledged"})
		case known && took > slowFlush:
			findings = append(findings, Finding{Warning, "directory", what, "the disk is slow to confirm fsync (more than 50 ms)",
				"see what else uses the disk (iostat -x, iotop); give topics that need it faster the storage.class of another directory"})
		case known:
			findings = append(findings, fine("directory", what))
		}
	}
	return findings
}

// judgeDirFlushes says which of several directories is slow.
func judgeDirFlushes(before, after Sample) (findings []Finding) {
	was, took := before.byLabel("sordini_dir_flushes_total", "dir"), before.byLabel("sordini_dir_flush_seconds_total", "dir")
	is, takes := after.byLabel("sordini_dir_flushes_total", "dir"), after.byLabel("sordini_dir_flush_seconds_total", "dir")
	if len(is) < 2 {
		return nil // the judgement on all flushes is that of the one there is
	}
	for _, dir := range slices.Sorted(maps.Keys(is)) {
		n, seconds := is[dir]-was[dir], takes[dir]-took[dir]
		if n < someFlushes || seconds < 0 {
			continue
		}
		what := fmt.Sprintf("%.0f flushes in %s took %.3g ms on average", n, dir, 1000*seconds/n)
		if seconds/n <= slowFlush {
			findings = append(findings, fine("flush", what))
			continue
		}
		findings = append(findings, Finding{Warning, "flush", what, "this disk is slow to confirm fsync (more than 50 ms)",
			"give topics that need it faster the storage.class of another directory, for new partitions; see what else uses the disk (iostat -x, iotop)"})
	}
	return findings
}

const slowFlushCure = "see what else uses the disk (iostat -x, iotop) and move it elsewhere; put the data directory on a local SSD, best with power loss protection; " +
	"look for disk errors in the kernel's log (dmesg); where losing the last second in a power cut is acceptable, set flush.policy=hybrid or async for the topic"

func judgeDisk(dir string, used, state float64) Finding {
	what := fmt.Sprintf("the file system of %s is %.1f %% full", dir, 100*used)
	switch {
	case state >= 2 || used >= fullRatio:
		f := Finding{Critical, "disk", what, "the data has grown to the limit log.disk.full.ratio (90 % by default)", fullCure}
		if state >= 2 {
			f.What += "; producing, committing offsets and creating topics are refused with KAFKA_STORAGE_ERROR"
		}
		return f
	case state >= 1 || used >= warnRatio:
		return Finding{Warning, "disk", what, "the data, or what else lies on the file system, has grown past log.disk.warn.ratio (80 % by default); from log.disk.full.ratio on nothing is written", fullCure}
	}
	return fine("disk", what)
}

const fullCure = "delete topics (sordini topic delete) or records, shorten retention.ms or retention.bytes of the largest topics, " +
	"remove what else lies there (du -xsh), or enlarge the file system; writing resumes by itself, without a restart"

func judgeLogs(after Sample) Finding {
	offline, failures := after["sordini_offline_logs"], after["sordini_flush_errors_total"]
	switch {
	case offline > 0:
		return Finding{Critical, "logs", fmt.Sprintf("%.0f partitions are offline", offline),
			"a write or fsync failed, or the log could not be opened; the server's log says which (\"log taken offline\", \"partition is offline\")",
			"look for disk errors in the kernel's log (dmesg, smartctl); when the disk is sound again or replaced, restart the server: it checks the logs and brings back all that was acknowledged"}
	case failures > 0:
		return Finding{Warning, "logs", fmt.Sprintf("%.0f flushes have failed since the start", failures),
			"an fsync of the disk failed; what was not acknowledged may be lost", "look for disk errors in the kernel's log (dmesg, smartctl), and restart the server when the disk is sound"}
	}
	return fine("logs", "all partitions are online")
}

func judgeReads(after Sample) Finding {
	if n := after["sordini_corrupt_reads_total"]; n > 0 {
		return Finding{Critical, "reads", fmt.Sprintf("%.0f reads were refused since the start", n),
			"stored bytes have changed on the disk: their checksum does not fit (bit rot, a failing disk, or another program wrote there)",
			"run \"sordini segment verify\" on the partition that the server's log names; look for disk errors (dmesg, smartctl); stop the server and let \"sordini segment repair\" put right what it can; restore the segment from a backup, or delete the records up to behind the damage (DeleteRecords)"}
	}
	return fine("reads", "no damaged records were read")
}

// judgeCheckpoint judges a directory; where names it, if it is not the only one.
func judgeCheckpoint(where string, age float64) Finding {
	if age > oldCheckpoint {
		return Finding{Warning, "checkpoint", fmt.Sprintf("%sthe last checkpoint was written %.0f s ago", where, age),
			"checkpoints fail, mostly for want of space, or log.flush.offset.checkpoint.interval.ms is large; a restart after a crash has to check all that was written since",
			"look for \"checkpoint failed\" in the server's log; free disk space, and see that the data directory can be written"}
	}
	return fine("checkpoint", fmt.Sprintf("%swritten %.0f s ago", where, age))
}

func judgeJournal(where string, broken float64) Finding {
	if broken > 0 {
		return Finding{Warning, "journal", where + "the journal is not used any more: each log is synced by itself, which is slower",
			"a write or fsync of the journal failed, for want of space or because of a disk error; nothing is lost by that",
			"free disk space or repair the disk, then restart the server"}
	}
	return fine("journal", where+"in order")
}
