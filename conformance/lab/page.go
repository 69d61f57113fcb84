package lab

import (
	"errors"
	"os"
	"regexp"
	"strings"
)

var blocks = regexp.MustCompile("(?s)```sh\n(.*?)```")

// MovingPage returns the commands of a README's page about moving a cluster,
// those for the way there and those for the way back, for Admin.Do.
func MovingPage(readme string) (there, back []string, err error) {
	text, err := os.ReadFile(readme)
	if err != nil {
		return nil, nil, err
	}
	_, page, ok := strings.Cut(string(text), "\n## Moving a cluster to cpgol\n")
	if !ok {
		return nil, nil, errors.New("the README has no page about moving a cluster")
	}
	page, _, _ = strings.Cut(page, "\n## ")
	ways := blocks.FindAllStringSubmatch(page, -1)
	if len(ways) != 2 {
		return nil, nil, errors.New("the README's page has not two blocks of commands, the way there and the way back")
	}
	commands := func(block string) []string { return strings.Split(strings.TrimSpace(block), "\n") }
	return commands(ways[0][1]), commands(ways[1][1]), nil
}
