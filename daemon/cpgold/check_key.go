package main

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"cpgol/compat/conf"
)

// adviseKey tells if others than root may read or change the crypto key of a
// configuration that a daemon would start with.
func (r *checkReport) adviseKey(env conf.Env) {
	c, err := conf.Load(r.File, env)
	if err != nil {
		return
	}
	file, _, used := conf.KeySource(c.Keys, env)
	if !used {
		return
	}
	what := "the crypto key"
	if file == "" {
		file, what = r.File, "the crypto key in it"
	}
	st, err := os.Stat(file)
	if err != nil {
		return // it was there when the configuration was loaded
	}
	for _, text := range keyRisks(st, what) {
		f := checkFinding{Severity: conf.Advice.String(), File: file, Text: text}
		f.shown = fmt.Sprintf("%s: %s: %s", f.Severity, f.File, f.Text)
		r.Findings = append(r.Findings, f)
	}
}

func keyRisks(st fs.FileInfo, what string) (risks []string) {
	if mode := st.Mode().Perm(); mode&0o077 != 0 {
		risks = append(risks, fmt.Sprintf("others than the owner may read or change %s (mode %04o): whoever has it can read and forge "+
			"the cluster's packets", what, mode))
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && sys.Uid != 0 {
		risks = append(risks, fmt.Sprintf("user %d owns %s, not root", sys.Uid, what))
	}
	return risks
}
