package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"sordini/test/clients/broker"
	"sordini/test/clients/event"
	"sordini/test/clients/member"
	"sordini/test/clients/scenario"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "member" {
		os.Exit(beMember(os.Args[2:]))
	}
	s, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if err := s.run(); err != nil {
		fmt.Fprintln(os.Stderr, "clients:", err)
		os.Exit(1)
	}
}

// beMember is the process of one member.
func beMember(args []string) int {
	library, cfg, err := scenario.ParseMember(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	out := event.NewWriter(os.Stdout, cfg.Partitions)
	if err := member.Run(ctx, library, cfg, out); err != nil {
		out.Fault("%v", err)
		return 1
	}
	return 0
}

// settings are the command line.
type settings struct {
	address, server, reference, modules, logs, only string
	kafka, list, kgo, chaos, join, storm            bool
	rate, records, groups, members                  int
	killEvery, duration                             int // seconds
}

func parse(args []string) (*settings, error) {
	s := &settings{}
	f := flag.NewFlagSet("clients", flag.ExitOnError)
	f.StringVar(&s.address, "address", "", "host:port of a running server; without it one is started")
	f.StringVar(&s.server, "server", "", "binary of sordini to start")
	f.BoolVar(&s.kafka, "kafka", false, "start Kafka by the script in KAFKA_REFERENCE, not sordini")
	f.StringVar(&s.modules, "modules", "", "directory of node packages that holds kafkajs")
	f.StringVar(&s.logs, "logs", "", "directory that keeps what members and the server print")
	f.StringVar(&s.only, "only", "", "regular expression for the names of clients, or of the tests of --kgo")
	f.BoolVar(&s.list, "list", false, "print the names of clients")
	f.IntVar(&s.rate, "rate", 8000, "records a second")
	f.BoolVar(&s.kgo, "kgo", false, "run franz-go's own tests of groups")
	f.IntVar(&s.records, "records", 0, "records of the tests of --kgo (20000, or 500000 with --kill-every)")
	f.BoolVar(&s.chaos, "chaos", false, "cut the connections of the clients of --kgo every second")
	f.IntVar(&s.killEvery, "kill-every", 0, "seconds after which the server is killed and started again during --kgo, 0 for never")
	f.BoolVar(&s.join, "join", false, "have many groups join at once")
	f.IntVar(&s.groups, "groups", 1000, "groups of --join")
	f.IntVar(&s.members, "members", 0, "members of each group of --join (10), or of the one of --storm (100)")
	f.BoolVar(&s.storm, "storm", false, "have members join, leave and die at random")
	f.IntVar(&s.duration, "seconds", 120, "how long --storm lasts for each protocol")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	s.reference = os.Getenv("KAFKA_REFERENCE")
	if s.records == 0 {
		if s.records = 20_000; s.killEvery > 0 {
			s.records = 500_000
		}
	}
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case s.kafka && s.reference == "":
		return nil, fmt.Errorf("--kafka needs a script in KAFKA_REFERENCE")
	case s.address == "" && !s.kafka && !s.list && s.server == "":
		return nil, fmt.Errorf("neither --address nor --server nor --kafka")
	case s.killEvery > 0 && (s.address != "" || s.kafka || !s.kgo):
		return nil, fmt.Errorf("--kill-every is for --kgo with a sordini that is started here")
	}
	return s, nil
}

func (s *settings) run() error {
	if s.list {
		for _, v := range scenario.Variants() {
			fmt.Println(v.Name())
		}
		return nil
	}
	if s.logs == "" {
		dir, err := os.MkdirTemp("", "sordini-clients-")
		if err != nil {
			return err
		}
		s.logs = dir
	}
	if err := os.MkdirAll(s.logs, 0o755); err != nil {
		return err
	}
	fmt.Println("logs in", s.logs)
	server, err := s.start()
	if err != nil {
		return err
	}
	switch {
	case s.kgo:
		err = s.runKgo(server)
	case s.join:
		err = s.runJoin(server)
	case s.storm:
		err = s.runStorm()
	default:
		err = s.runScenarios()
	}
	if server == nil {
		return err
	}
	if stopErr := server.Stop(); err == nil {
		err = stopErr
	}
	return err
}

// start starts a server unless one runs, and sets its address.
func (s *settings) start() (*broker.Broker, error) {
	if s.address != "" {
		return nil, nil
	}
	dir, err := os.MkdirTemp(s.logs, "server-")
	if err != nil {
		return nil, err
	}
	var b *broker.Broker
	switch {
	case s.kafka:
		b, err = broker.Kafka(s.reference, dir)
	case s.killEvery > 0:
		b, err = broker.Held(s.server, dir)
	default:
		b, err = broker.Sordini(s.server, dir)
	}
	if err != nil {
		return nil, err
	}
	s.address = b.Address
	return b, nil
}
