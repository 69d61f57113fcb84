package node

import "sync"

// tasks are functions that other goroutines want the loop to run.
type tasks struct {
	mu   sync.Mutex
	list []func()
}

// Do has the loop run f at its next turn. It may be called from any goroutine
// while the node is not closed.
func (n *Node) Do(f func()) {
	n.tasks.mu.Lock()
	n.tasks.list = append(n.tasks.list, f)
	n.tasks.mu.Unlock()
	n.poller.Wake()
}

func (t *tasks) run() {
	t.mu.Lock()
	list := t.list
	t.list = nil
	t.mu.Unlock()
	for _, f := range list {
		f()
	}
}
