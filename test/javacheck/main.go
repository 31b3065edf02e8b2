package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"sordini/test/javacheck/output"
)

func main() {
	s, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if err := s.run(); err != nil {
		fmt.Fprintln(os.Stderr, "javacheck:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	server, reference, logs string
	only                    *regexp.Regexp
	list                    bool
}

func parse(args []string) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("javacheck", flag.ExitOnError)
	f.StringVar(&o.server, "server", "", "binary of sordini to start")
	f.StringVar(&o.logs, "logs", "", "directory that keeps the servers' files and logs; without it they go, unless something differs")
	only := f.String("only", "", "regular expression for the names of groups of checks; a group may need what earlier ones have made")
	f.BoolVar(&o.list, "list", false, "print the checks and the rules, run nothing")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		return nil, err
	}
	o.reference = os.Getenv("KAFKA_REFERENCE")
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.list:
	case o.server == "":
		return nil, errors.New("--server is missing")
	case o.reference == "":
		return nil, errors.New("KAFKA_REFERENCE has to name a script that runs Kafka")
	}
	return o, nil
}

// group is a list of checks that are played in order.
type group struct {
	name   string
	checks []check
}

// groups are all of them. The last reads files, of servers that have stopped.
func groups() []group {
	return []group{
		{"topics", topics}, {"configs", configs}, {"produce", producing}, {"consume", consuming}, {"records", records},
		{"groups", consumerGroups}, {"cluster", cluster}, {"programs", programs}, {"files", files},
	}
}

func (o *options) run() error {
	if o.list {
		list()
		return nil
	}
	dir := o.logs
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "sordini-javacheck-"); err != nil {
			return err
		}
	}
	err := o.play(dir)
	if err == nil && o.logs == "" {
		return os.RemoveAll(dir)
	}
	fmt.Println("logs and files are in", dir)
	return err
}

func list() {
	for _, g := range groups() {
		for _, c := range g.checks {
			fmt.Printf("%s/%s: %s\n", g.name, c.name, c.run)
		}
	}
	for _, r := range output.Rules {
		fmt.Printf("rule: %s: %s\n", r.What, r.Why)
	}
}

// play starts both servers, plays all chosen groups and prints what comes of it.
func (o *options) play(dir string) error {
	began := time.Now()
	p, err := o.start(dir)
	if err != nil {
		return err
	}
	defer p.jvm.stop()
	go p.endAtSignal()
	served, err := p.served()
	if err != nil {
		return errors.Join(err, p.stopBrokers())
	}
	defer p.kafka.kill()
	defer p.sordini.kill()
	if !served["DescribeAcls"] {
		p.sordini.acls = "False"
	}
	t := &tally{whole: o.only.String() == ""}
	for _, g := range groups() {
		if !o.only.MatchString(g.name) {
			continue
		}
		if g.name == "files" {
			if err := p.stopBrokers(); err != nil {
				t.fault("servers stop", err.Error())
			}
		}
		for i := range g.checks {
			t.play(p, g.name, &g.checks[i])
		}
	}
	t.faults += printAbsent(served)
	if err := p.stopBrokers(); err != nil {
		t.fault("servers stop", err.Error())
	}
	return t.end(time.Since(began))
}

// start starts what a player needs.
func (o *options) start(dir string) (*player, error) {
	dirs := map[string]string{}
	for _, name := range []string{"kafka", "sordini", "java"} {
		dirs[name] = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Join(dirs[name], toolsDir), 0o755); err != nil {
			return nil, err
		}
	}
	if err := unpack(dirs["java"]); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "jvm.log"))
	if err != nil {
		return nil, err
	}
	p := &player{script: o.reference, sources: dirs["java"]}
	p.jvm = &jvm{script: o.reference, source: filepath.Join(dirs["java"], "Tools.java"), log: log}
	kafka, err := startKafka(o.reference, dirs["kafka"])
	if err != nil {
		return nil, err
	}
	sordini, err := startSordini(o.server, dirs["sordini"])
	if err != nil {
		kafka.kill()
		return nil, err
	}
	p.kafka, p.sordini = newSide(kafka, dirs["kafka"]), newSide(sordini, dirs["sordini"])
	return p, nil
}

// endAtSignal ends this process at a signal, and the servers, which would go on.
func (p *player) endAtSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	<-signals
	for _, s := range []*side{p.kafka, p.sordini} {
		_ = s.broker.cmd.Process.Kill() // it may have ended
	}
	os.Exit(1)
}

// stopBrokers stops both in order, once.
func (p *player) stopBrokers() error {
	var faults []error
	for _, s := range []*side{p.kafka, p.sordini} {
		if !s.stopped {
			s.stopped = true
			faults = append(faults, s.broker.stop())
		}
	}
	return errors.Join(faults...)
}
