package conf

// Token timeouts, in ms, between which nothing is said.
const (
	shortToken    = 1000 // stock's default until 3.1
	shortTokenFor = 300  // more for each node beyond two: half of stock's default coefficient
	longToken     = 60000
)

// tokens judges the totem timers of a ring of n nodes.
func (a *adviser) tokens(t *totem, n int) {
	v := &t.timers
	short, usual := uint32(shortToken), uint32(defaultToken)
	if n > 2 {
		short += uint32(n-2) * shortTokenFor
		usual += uint32(n-2) * defaultCoefficient
	}
	switch key := a.tokenKey(); {
	case v.token < short:
		a.advise(key, "a token timeout of %d ms is short for %d nodes: one that does not run for so long is taken for dead "+
			"(stock's default is %d ms)", v.token, n, usual)
	case v.token > longToken:
		a.advise(key, "with a token timeout of %d ms a dead node blocks the others for as long", v.token)
	}
	if n > 2 && v.consensus < v.token {
		a.advise("totem.consensus", "%d ms is less than the token timeout of %d ms: with more than two nodes, memberships may "+
			"form and break in turn (the default is 1.2 times the token timeout)", v.consensus, v.token)
	}
	if uint64(v.tokenRetransmit)*2 > uint64(v.token) {
		a.advise("totem.token_retransmit", "%d ms of a token timeout of %d ms: there is no time to send a lost token twice",
			v.tokenRetransmit, v.token)
	}
	if v.hold >= v.tokenRetransmit {
		a.advise("totem.hold", "%d ms is not less than token_retransmit, %d ms: a token that is only held is sent again",
			v.hold, v.tokenRetransmit)
	}
	beat := uint64(v.heartbeatFailures)*uint64(v.tokenRetransmit) + uint64(v.maxNetworkDelay)
	if v.heartbeatFailures > 0 && beat >= uint64(v.token) { // exec/totemsrp.c:totemsrp_initialize
		a.add("totem.heartbeat_failures_allowed", "has no effect: its timeout would be %d ms, and the token's is %d ms",
			beat, v.token)
	}
	if v.maxMessages > v.windowSize {
		a.advise("totem.max_messages", "%d is more than window_size, %d, lets all nodes together send", v.maxMessages, v.windowSize)
	}
}

// tokenKey is the key that decides about the token timeout.
func (a *adviser) tokenKey() string {
	if _, ok := a.r.keys.u32("totem.token"); ok {
		return "totem.token"
	}
	if _, ok := a.r.keys.u32("totem.token_coefficient"); ok {
		return "totem.token_coefficient"
	}
	return "totem.token"
}

// pings judges the heartbeats of knet's links.
func (a *adviser) pings(t *totem) {
	configured := t.configured()
	if t.transport != transportKnet {
		return
	}
	for _, n := range configured {
		l := &t.links[n]
		if l.pingInterval == 0 || l.pingTimeout == 0 { // refused by libknet, see Config
			continue
		}
		if l.pingInterval >= l.pingTimeout {
			a.advise(linkKey(uint32(n), "knet_ping_interval"), "%d ms is not less than knet_ping_timeout, %d ms: the link goes "+
				"down between two answers", l.pingInterval, l.pingTimeout)
		}
		if len(configured) > 1 && l.pingTimeout >= t.timers.token {
			a.advise(linkKey(uint32(n), "knet_ping_timeout"), "%d ms is not less than the token timeout of %d ms: when this link "+
				"fails, the token is lost before another link is taken", l.pingTimeout, t.timers.token)
		}
	}
}
