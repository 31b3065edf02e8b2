package cmd

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"sordini/segment/vfs"
	"sordini/server/cmd/doctor"
)

type doctorOptions struct {
	admin   string
	dataDir string
	window  time.Duration
	output  format
}

func newDoctorCommand(p *Process) *cobra.Command {
	var opt doctorOptions
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is slow, full or damaged, and what to do about it",
		Long: `Look at the metrics of a running server twice, some seconds apart, and with
--data-dir at a data directory too, and say what is slow, full or damaged, why, and
what to do about it. With --data-dir and without --admin no server needs to run.

Exit codes: 0 all is well, 1 warnings, 2 something is critical or the command line
is wrong.

  $ sordini doctor
  CRITICAL  disk        the file system of /data is 92.1 % full; producing, ...
    cause   the data has grown to the limit log.disk.full.ratio (90 % by default)
    cure    delete topics (sordini topic delete) or records, shorten ...
  ok        flush       99 % of 4211 flushes in 5s took at most 3.4 ms
  ok        logs        all partitions are online
  ...`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			alone := opt.dataDir != "" && !c.Flags().Changed("admin")
			return opt.run(p, alone)
		},
	}
	flags := c.Flags()
	addAdmin(flags, p, &opt.admin)
	flags.StringVar(&opt.dataDir, "data-dir", "", "data directory to look at")
	flags.DurationVar(&opt.window, "window", 5*time.Second, "time between the two looks at the server")
	opt.output.addTo(c)
	return c
}

// run looks and prints. alone says that the data directory is enough.
func (o *doctorOptions) run(p *Process, alone bool) error {
	if o.window <= 0 {
		return usageErrorf("--window %v: must be more than nothing", o.window)
	}
	findings, err := o.askServer()
	switch {
	case err == nil:
	case alone:
		findings = []doctor.Finding{{Severity: doctor.OK, Subject: "server", What: "none answers at " + o.admin + "; only the directory is looked at"}}
	default:
		findings = []doctor.Finding{{
			Severity: doctor.Critical, Subject: "server", What: fmt.Sprintf("no answer at %s: %v", o.admin, err),
			Cause: "the server does not run, admin.listen is another address, or none",
			Cure:  "start the server, and look at what it says last if it ends; or give its address with --admin",
		}}
	}
	if o.dataDir != "" {
		findings = append(findings, doctor.Look(vfs.OS(), o.dataDir)...)
	}
	doctor.Sort(findings)
	worst := doctor.Worst(findings)
	if err := o.print(p, worst, findings); err != nil {
		return err
	}
	if worst > doctor.OK {
		return &exitError{code: int(worst)}
	}
	return nil
}

// askServer looks at a server's metrics twice.
func (o *doctorOptions) askServer() ([]doctor.Finding, error) {
	ctx, cancel := context.WithTimeout(context.Background(), o.window+20*time.Second)
	defer cancel()
	before, err := scrape(ctx, o.admin)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	select {
	case <-time.After(o.window):
	case <-ctx.Done():
	}
	after, err := scrape(ctx, o.admin)
	if err != nil {
		return nil, err
	}
	return doctor.Judge(before, after, time.Since(began).Round(100*time.Millisecond)), nil
}

func scrape(ctx context.Context, address string) (doctor.Sample, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/plain; version=0.0.4")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %s", resp.Status)
	}
	return doctor.Parse(resp.Body)
}

func (o *doctorOptions) print(p *Process, worst doctor.Severity, findings []doctor.Finding) error {
	if o.output == formatJSON {
		return printJSON(p.Stdout, struct {
			JSONVersion int              `json:"_version"`
			Worst       doctor.Severity  `json:"worst"`
			Findings    []doctor.Finding `json:"findings"`
		}{jsonVersion, worst, findings})
	}
	marks := map[doctor.Severity]string{doctor.OK: "ok", doctor.Warning: "WARNING", doctor.Critical: "CRITICAL"}
	for _, f := range findings {
		text := fmt.Sprintf("%-8s  %-10s  %s\n", marks[f.Severity], f.Subject, f.What)
		if f.Severity > doctor.OK {
			text += fmt.Sprintf("  cause   %s\n  cure    %s\n", f.Cause, f.Cure)
		}
		if _, err := fmt.Fprint(p.Stdout, text); err != nil {
			return err
		}
	}
	return nil
}
