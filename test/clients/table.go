package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"text/tabwriter"

	"sordini/test/clients/scenario"
)

// runScenarios plays all chosen variants one after another and prints the table.
func (s *settings) runScenarios() error {
	only, err := regexp.Compile(s.only)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	options := scenario.Options{
		Address: s.address, Rate: s.rate, Logs: s.logs,
		Tools: scenario.Tools{Self: self, Reference: s.reference, Modules: s.modules},
	}
	var results []scenario.Result
	for _, v := range scenario.Variants() {
		switch {
		case !only.MatchString(v.Name()):
		case v.Library == "java" && s.reference == "":
			fmt.Println("left out:", v.Name(), "(no script in KAFKA_REFERENCE)")
		default:
			r := scenario.Play(v, options)
			results = append(results, r)
			fmt.Printf("%s: %d faults in %.0f s\n", v.Name(), len(r.Faults), r.Seconds)
			for _, f := range r.Faults {
				fmt.Println("   ", f)
			}
		}
	}
	return table(results, options.Tools)
}

func table(results []scenario.Result, tools scenario.Tools) error {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "client\tversion\tprotocol\tmembers\trecords\trebalances\tduplicates\tseconds\tok")
	good := 0
	versions := make(map[string]string)
	for _, r := range results {
		if versions[r.Library] == "" {
			versions[r.Library] = r.Version(tools)
		}
		ok := "yes"
		if len(r.Faults) > 0 {
			ok = "NO"
		} else {
			good++
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%.1f\t%s\n", r.Library, versions[r.Library], r.Name()[len(r.Library)+1:],
			r.Members, r.Records, r.Rebalances, r.Duplicates, r.Seconds, ok)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	fmt.Printf("%d of %d\n", good, len(results))
	if good < len(results) || good == 0 {
		return errors.New("not all clients passed")
	}
	return nil
}
