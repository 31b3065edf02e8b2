package foreign

import (
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"sordini/test/clients/member"
)

//go:embed kafkajs.js
var kafkajs []byte

// KafkaJS is the command of a member made of KafkaJS, which prints events itself.
// modules is the directory that holds the package, dir takes the script.
func KafkaJS(modules, dir string, cfg member.Config) (*exec.Cmd, error) {
	script := filepath.Join(dir, "member.js")
	if err := os.WriteFile(script, kafkajs, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command("node", script, cfg.Address, cfg.Topic, strconv.Itoa(cfg.Partitions), cfg.Group)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	return cmd, nil
}
