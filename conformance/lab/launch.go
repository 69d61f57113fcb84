package lab

import "syscall"

// Launch starts a daemon by a command line of the caller's, among the host's files;
// kind is what Kind will say.
func (h *Host) Launch(kind string, argv ...string) error {
	h.Kind = kind
	return h.launch(argv...)
}

// Send sends the daemon a signal.
func (h *Host) Send(s syscall.Signal) error { return h.daemon.cmd.Process.Signal(s) }

// EndedBy is the signal that ended the daemon; 0 if none did, or it runs.
func (h *Host) EndedBy() syscall.Signal {
	if h.daemon == nil || h.daemon.alive() {
		return 0
	}
	if s := h.daemon.cmd.ProcessState.Sys().(syscall.WaitStatus); s.Signaled() {
		return s.Signal()
	}
	return 0
}

// Forget lets another daemon be started beside the one that runs, which ends with
// the lab.
func (h *Host) Forget() {
	h.forgotten = append(h.forgotten, h.daemon)
	h.daemon = nil
}
