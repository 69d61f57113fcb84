package exec

// The function numbers of service 1, CFG (enum cfg_message_req_types).
const (
	cfgService = 1

	CfgRingReenableFn = 0
	CfgKillNodeFn     = 1
	CfgShutdownFn     = 2
	CfgReloadFn       = 3
	CfgCryptoFn       = 4 // since 3.1.0
)
