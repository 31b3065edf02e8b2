package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// twoDirs is a server with two data directories, each with a topic of its class.
type twoDirs struct {
	*broker
	fast, slow string // the directories
	sent       map[string][]string
}

func newTwoDirs(t *testing.T) *twoDirs {
	root := t.TempDir()
	d := &twoDirs{newBroker(t), filepath.Join(root, "one"), filepath.Join(root, "two"), map[string][]string{}}
	d.dir = "ssd:" + d.fast + ",hdd:" + d.slow
	d.start()
	createTopic(t, d.broker, "fast", 1, "storage.class", "ssd")
	createTopic(t, d.broker, "slow", 2, "storage.class", "hdd")
	return d
}

// produce sends n records, one after the other, to partition 0 of a topic.
func (d *twoDirs) produce(topic string, n int) {
	d.t.Helper()
	w := dial(d.t, d.addr)
	for range n {
		value := fmt.Sprintf("%s %d", topic, len(d.sent[topic]))
		w.mustProduce(topic, 0, plain(value))
		d.sent[topic] = append(d.sent[topic], value)
	}
}

// compare demands that all that was acknowledged of some topics is there.
func (d *twoDirs) compare(topics ...string) {
	d.t.Helper()
	for _, topic := range topics {
		if err := readAll(d.broker, topic, d.sent[topic]); err != nil {
			d.t.Errorf("%s: %v", topic, err)
		}
	}
}

// logDirs asks for the directories by an admin client, and returns for each what is in
// it, or its error.
func (d *twoDirs) logDirs() map[string]string {
	d.t.Helper()
	c := client(d.t, d.broker)
	defer c.Close()
	all, err := kadm.NewClient(c).DescribeAllLogDirs(within(d.t, patience), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	found := make(map[string]string)
	all.Each(func(l kadm.DescribedLogDir) {
		if l.Err != nil {
			found[l.Dir] = l.Err.(*kerr.Error).Message
			return
		}
		var topics []string
		for _, p := range l.Topics.Sorted() {
			topics = append(topics, fmt.Sprintf("%s-%d", p.Topic, p.Partition))
		}
		found[l.Dir] = strings.Join(topics, " ")
	})
	return found
}

func (d *twoDirs) wantLogDirs(fast, slow string) {
	d.t.Helper()
	if got := d.logDirs(); len(got) != 2 || got[d.fast] != fast || got[d.slow] != slow {
		d.t.Errorf("log dirs %v, want %q and %q", got, fast, slow)
	}
}

// wantHalf demands that the second directory is offline, and the first one goes on.
func (d *twoDirs) wantHalf() {
	t := d.t
	t.Helper()
	w := dial(t, d.addr)
	storage := kerr.KafkaStorageError.Code
	eventually(t, "directory offline", func() error {
		if p := w.produce("slow", 1, plain("lost").encode(t)); p.ErrorCode != storage {
			return fmt.Errorf("produce to slow-1: error %d", p.ErrorCode)
		}
		return nil
	})
	if p := w.fetch(fetchRequest("slow", 0, 0)); p.ErrorCode != storage {
		t.Errorf("fetch from the broken directory: error %d", p.ErrorCode)
	}
	d.produce("fast", 10)
	d.wantLogDirs("fast-0", "KAFKA_STORAGE_ERROR")
	if n := d.metric(fmt.Sprintf("sordini_dir_offline{dir=%q}", d.slow)); n != 1 {
		t.Errorf("sordini_dir_offline is %v", n)
	}
	if code, body := d.get("/healthz"); code != 200 || !strings.Contains(body, `"degraded"`) || !strings.Contains(body, d.slow) {
		t.Errorf("/healthz: %d %s", code, body)
	}
	out, err := exec.Command(server, "doctor", "--admin", d.admin, "--window", "10ms").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "CRITICAL  directory   "+d.slow) {
		t.Errorf("doctor: %v\n%s", err, out)
	}
}

func TestDirs(t *testing.T) {
	d := newTwoDirs(t)
	d.produce("fast", 20)
	d.produce("slow", 20)
	d.wantLogDirs("fast-0", "slow-0 slow-1")
	eventually(t, "probe", func() error {
		if _, body := d.get("/metrics"); !strings.Contains(body, fmt.Sprintf("sordini_dir_probe_sync_seconds{dir=%q}", d.slow)) {
			return fmt.Errorf("no metric")
		}
		return nil
	})
	c := client(t, d.broker)
	class := "tape"
	r, err := kadm.NewClient(c).CreateTopic(within(t, patience), 1, 1, map[string]*string{"storage.class": &class}, "other")
	if r.Err != kerr.InvalidConfig || !strings.Contains(r.ErrMessage, "hdd, ssd") {
		t.Errorf("a topic of an unknown class: %v %v %q", err, r.Err, r.ErrMessage)
	}
	c.Close()
	d.crash()
	d.compare("fast", "slow")
	d.produce("slow", 5)

	d.kill()
	if err := os.Rename(d.slow, d.slow+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.slow, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	d.start()
	d.wantHalf()
	d.compare("fast")
	d.stop()
	if err := os.Remove(d.slow); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(d.slow+".away", d.slow); err != nil {
		t.Fatal(err)
	}
	d.start()
	d.wantLogDirs("fast-0", "slow-0 slow-1")
	d.compare("fast", "slow")
	d.produce("slow", 1)
	d.produce("fast", 1)
}
