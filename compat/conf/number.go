package conf

import "math"

// The readings of numbers that the reference leaves to the C library. They
// differ from strconv: leading white space, a plus sign, wrapping.

func isCSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// cutNumber splits what C takes for a decimal number off the front of s:
// white space, a sign, digits. The magnitude saturates; over tells that it did.
func cutNumber(s string) (mag uint64, neg, over bool, rest string, ok bool) {
	i := 0
	for i < len(s) && isCSpace(s[i]) {
		i++
	}
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		neg = s[i] == '-'
		i++
	}
	from := i
	for ; i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
		d := uint64(s[i] - '0')
		if over || mag > (math.MaxUint64-d)/10 {
			mag, over = math.MaxUint64, true
			continue
		}
		mag = mag*10 + d
	}
	if i == from {
		return 0, false, false, s, false
	}
	return mag, neg, over, s[i:], true
}

// parseRange reads a number that must fill s and lie in min..max
// (exec/coroparse.c:safe_atoq).
func parseRange(s string, min, max int64) (int64, bool) {
	mag, neg, over, rest, ok := cutNumber(s)
	if !ok || over || rest != "" {
		return 0, false
	}
	n := int64(mag)
	switch {
	case neg && mag <= 1<<63:
		n = -n
	case neg, mag > math.MaxInt64:
		return 0, false
	}
	return n, min <= n && n <= max
}

// parseU64 reads a number that must fill s; a minus sign wraps
// (exec/coroparse.c:str_to_ull).
func parseU64(s string) (uint64, bool) {
	mag, neg, over, rest, ok := cutNumber(s)
	if !ok || over || rest != "" {
		return 0, false
	}
	if neg {
		mag = -mag
	}
	return mag, true
}

// cutU32 reads as sscanf's %u does: what does not fit loses its upper half.
func cutU32(s string) (n uint32, rest string, ok bool) {
	mag, neg, over, rest, ok := cutNumber(s)
	if neg && !over {
		mag = -mag
	}
	return uint32(mag), rest, ok
}

// atoi reads as C's atoi does: 0 for what is no number, the rest ignored.
func atoi(s string) int32 {
	mag, neg, over, _, _ := cutNumber(s)
	n := int64(mag)
	if over || mag > math.MaxInt64 {
		n = math.MaxInt64
		if neg {
			n = math.MinInt64
		}
	} else if neg {
		n = -n
	}
	return int32(n)
}

// cInt converts as x86 does for a C cast from double to int: what does not fit
// becomes the smallest int.
func cInt(f float64) uint32 {
	if f != f || f <= -1<<31-1 || f >= 1<<31 {
		return 1 << 31
	}
	return uint32(int32(f))
}

// canonical tells if text is how a number is printed: decimal, no sign, no
// leading zero, at most max.
func canonical(text string, max uint64) (uint64, bool) {
	mag, _, over, rest, ok := cutNumber(text)
	if !ok || over || rest != "" || mag > max {
		return 0, false
	}
	return mag, text[0] != '0' && '0' <= text[0] && text[0] <= '9' || text == "0"
}
