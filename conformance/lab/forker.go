package lab

import (
	"os/exec"
	"runtime"
	"sync"
)

// forker starts processes from one thread that never ends: the kernel takes the
// end of the thread that forked for the end of the parent (PR_SET_PDEATHSIG), and
// the runtime ends threads whenever a goroutine locked to one returns.
var forker threadForker

type threadForker struct {
	once sync.Once
	work chan forkRequest
}

type forkRequest struct {
	cmd  *exec.Cmd
	done chan error
}

func (f *threadForker) start(cmd *exec.Cmd) error {
	f.once.Do(func() {
		f.work = make(chan forkRequest)
		go func() {
			runtime.LockOSThread()
			for r := range f.work {
				r.done <- r.cmd.Start()
			}
		}()
	})
	r := forkRequest{cmd, make(chan error)}
	f.work <- r
	return <-r.done
}
