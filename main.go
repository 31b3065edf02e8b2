// Command sordini is a log server that speaks the Kafka wire protocol. Package server/cmd is its command line.
package main

import (
	"os"

	"sordini/server/cmd"
)

func main() { os.Exit(cmd.Main()) }
