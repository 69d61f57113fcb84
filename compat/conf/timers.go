package conf

import "math"

// Defaults of exec/totemconfig.c.
const (
	defaultToken       = 3000
	defaultCoefficient = 650
	defaultWarning     = 75
	defaultRetransmits = 4
	pingPrecision      = 2048
	pongCount          = 2
)

// Minima, from a kernel tick of 10 ms (MINIMUM_TIMEOUT, MINIMUM_TIMEOUT_HOLD).
const (
	tick        = 10
	minTimeout  = 3 * tick
	minHold     = minTimeout*8/10 - tick
	maxWarning  = 100
	runtimeName = "runtime.config."
)

// DefaultSeqUnchanged is seqno_unchanged_const if nobody chose another.
const DefaultSeqUnchanged = 30

// timers are the totem layer's numbers as used, in the reference's units
// (milliseconds unless the configuration says seconds or counts).
type timers struct {
	retransmitsBeforeLoss, token, tokenWarning, maxNetworkDelay, windowSize, maxMessages, missCount,
	pmtudInterval, knetMTU, tokenRetransmit, hold, join, consensus, merge, downcheck, failToReceive,
	seqUnchanged, sendJoin, heartbeatFailures, compressionThreshold uint32

	compressionLevel int32
	compressionModel string
	blockUnlisted    bool
	cancelHold       bool
}

// readTimers finds the values in use, some of which hang on others, and
// publishes them (exec/totemconfig.c:totem_volatile_config_read).
func (t *totem) readTimers() {
	v := &t.timers
	v.retransmitsBeforeLoss = t.timer("totem.token_retransmits_before_loss_const", defaultRetransmits)
	v.token = t.timer("totem.token", defaultToken)
	v.tokenWarning = t.counter("totem.token_warning", defaultWarning)
	if n := t.links[0].count(); n > 2 {
		c, ok := t.keys.u32("totem.token_coefficient")
		if !ok {
			c = defaultCoefficient
		}
		v.token += uint32(n-2) * c
		t.keys.setNum(runtimeName+"totem.token", TypeU32, uint64(v.token))
	}
	v.maxNetworkDelay = t.timer("totem.max_network_delay", 50)
	v.windowSize = t.timer("totem.window_size", 50)
	v.maxMessages = t.timer("totem.max_messages", 17)
	v.missCount = t.timer("totem.miss_count_const", 5)
	v.pmtudInterval = t.timer("totem.knet_pmtud_interval", 30)
	v.knetMTU = t.timer("totem.knet_mtu", 0)
	v.tokenRetransmit = t.timer("totem.token_retransmit", retransmitOf(v.token, v.retransmitsBeforeLoss))
	v.hold = t.timer("totem.hold", holdOf(v.tokenRetransmit))
	v.join = t.timer("totem.join", 50)
	v.consensus = t.timer("totem.consensus", consensusOf(v.token))
	v.merge = t.timer("totem.merge", 200)
	v.downcheck = t.timer("totem.downcheck", 1000)
	v.failToReceive = t.timer("totem.fail_recv_const", 2500)
	v.seqUnchanged = t.timer("totem.seqno_unchanged_const", DefaultSeqUnchanged)
	v.sendJoin = t.counter("totem.send_join", 0)
	v.heartbeatFailures = t.counter("totem.heartbeat_failures_allowed", 0)
	v.compressionThreshold = t.counter("totem.knet_compression_threshold", 0)
	level, _ := t.keys.num("totem.knet_compression_level", TypeI32)
	v.compressionLevel = int32(level)
	t.keys.setNum(runtimeName+"totem.knet_compression_level", TypeI32, level)
	v.compressionModel = "none"
	if text, ok := t.keys.text("totem.knet_compression_model"); ok {
		v.compressionModel = text
	}
	t.keys.setText(runtimeName+"totem.knet_compression_model", v.compressionModel)
	v.blockUnlisted = t.yesNo("totem.block_unlisted_ips", true)
	v.cancelHold = t.yesNo("totem.cancel_token_hold_on_retransmit", false)
}

// retransmitOf returns the default token_retransmit of a token timeout.
func retransmitOf(token, retransmits uint32) uint32 {
	return cInt(float64(token) / (float64(retransmits) + 0.2))
}

// holdOf returns the default hold of a token_retransmit.
func holdOf(retransmit uint32) uint32 {
	return cInt(float64(retransmit)*0.8 - tick)
}

// consensusOf returns the default consensus of a token timeout; the reference
// passes it through single precision.
func consensusOf(token uint32) uint32 {
	return cInt(float64(float32(1.2 * float64(token))))
}

// timer returns a number that 0 sets to its default, and publishes it.
func (t *totem) timer(key string, def uint32) uint32 {
	n, ok := t.keys.u32(key)
	if !ok || n == 0 {
		n = def
	}
	t.keys.setNum(runtimeName+key, TypeU32, uint64(n))
	return n
}

// counter returns a number that may be 0, and publishes it.
func (t *totem) counter(key string, def uint32) uint32 {
	n, ok := t.keys.u32(key)
	if !ok {
		n = def
	}
	t.keys.setNum(runtimeName+key, TypeU32, uint64(n))
	return n
}

// yesNo returns a switch; any word but these two means the default.
func (t *totem) yesNo(key string, def bool) bool {
	on := def
	switch text, _ := t.keys.text(key); text {
	case "yes":
		on = true
	case "no":
		on = false
	}
	n := uint64(0)
	if on {
		n = 1
	}
	t.keys.setNum(runtimeName+key, TypeU32, n)
	return on
}

// readPings fills in the heartbeats of the links, which hang on the token
// (exec/totemconfig.c:calc_knet_ping_timers).
func (t *totem) readPings() {
	for n := range t.links {
		l := &t.links[n]
		if !l.configured {
			continue
		}
		if l.pongCount == 0 {
			l.pongCount = pongCount
		}
		if l.pingTimeout == 0 {
			l.pingTimeout = t.timers.token / l.pongCount
		}
		if l.pingInterval == 0 && l.pongCount <= math.MaxInt32 {
			l.pingInterval = t.timers.token / (2 * l.pongCount)
		}
		t.keys.setNum(runtimeName+linkKey(uint32(n), "knet_ping_timeout"), TypeU32, uint64(l.pingTimeout))
		t.keys.setNum(runtimeName+linkKey(uint32(n), "knet_ping_interval"), TypeU32, uint64(l.pingInterval))
	}
}
