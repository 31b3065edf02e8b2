package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/pflag"
)

// adminVariable names the admin listener for commands that ask it.
const adminVariable = "SORDINI_ADMIN"

const defaultAdmin = "127.0.0.1:9644"

// addAdmin adds the flag for the address of a server's HTTP.
func addAdmin(flags *pflag.FlagSet, p *Process, address *string) {
	usual := p.env(adminVariable)
	if usual == "" {
		usual = defaultAdmin
	}
	flags.StringVar(address, "admin", usual, "address host:port of the server's admin listener; from "+adminVariable)
}

// question asks a server's HTTP for an answer in JSON.
type question struct {
	admin   string
	timeout time.Duration
}

func (q *question) addTo(flags *pflag.FlagSet, p *Process) {
	addAdmin(flags, p, &q.admin)
	flags.DurationVar(&q.timeout, "timeout", 30*time.Second, "longest time that the command may take")
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 256 << 20

// ask gets a path and decodes the answer.
func (q *question) ask(path string, params url.Values, answer any) error {
	ctx, cancel := context.WithTimeout(context.Background(), q.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+q.admin+path+"?"+params.Encode(), nil)
	if err != nil {
		return usageErrorf("--admin %s: %w", q.admin, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("no server at %s: %w", q.admin, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("answer of %s: %w", q.admin, err)
	}
	if response.StatusCode != http.StatusOK {
		var failed struct{ Error string }
		if json.Unmarshal(body, &failed) != nil || failed.Error == "" {
			return fmt.Errorf("%s answers %s", q.admin, response.Status)
		}
		if response.StatusCode == http.StatusBadRequest {
			return usageErrorf("%s", failed.Error)
		}
		return fmt.Errorf("%s", failed.Error)
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("answer of %s: %w", q.admin, err)
	}
	return nil
}
