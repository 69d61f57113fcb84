package main

import (
	"fmt"
	"log/slog"
	"strings"

	"cpgol/compat/conf"
)

// stockFile is where tools that know only the C daemon keep its configuration.
const stockFile = "/etc/corosync/corosync.conf"

// tellBeside warns if the node runs from TOML and there also is a corosync.conf
// that means something else: whoever wrote that expects the node to follow. It may
// be slow, as it looks at a file.
func tellBeside(log *slog.Logger, file string, c *conf.Config) {
	env := conf.Host()
	if file == stockFile || !conf.RunsTOML(file, env) {
		return
	}
	keys, err := conf.Beside(stockFile, env, c)
	switch {
	case err != nil:
		log.Warn(fmt.Sprintf("this node runs from %s; %s, which is not read, is no configuration: %v", file, stockFile, err))
	case len(keys) > 0:
		log.Warn(fmt.Sprintf("this node runs from %s; %s, which is not read, means something else: %s", file, stockFile, some(keys)))
	}
}

// some lists the first few of many.
func some(list []string) string {
	const most = 8
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
