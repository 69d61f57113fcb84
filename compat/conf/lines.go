package conf

import "bytes"

// lineSize is the reference's line buffer (parse_section: char line[512]).
const lineSize = 512

// A lineReader cuts a file as fgets does with a buffer of lineSize bytes:
// pieces of at most 511 bytes that end after a newline, and what stands behind
// a zero byte in a piece is lost.
type lineReader struct {
	rest []byte
}

// next returns the next line without its end. tooLong tells that the piece is
// not a whole line. ok is false at the end of the file.
func (r *lineReader) next() (line []byte, tooLong, ok bool) {
	if len(r.rest) == 0 {
		return nil, false, false
	}
	piece := r.rest[:min(len(r.rest), lineSize-1)]
	whole := len(piece) < lineSize-1 // fgets looked for more and met the end of the file
	if i := bytes.IndexByte(piece, '\n'); i >= 0 {
		piece, whole = piece[:i+1], false
	}
	r.rest = r.rest[len(piece):]
	if i := bytes.IndexByte(piece, 0); i >= 0 {
		piece = piece[:i]
	}
	if len(piece) == 0 {
		return nil, false, true
	}
	if n := len(piece) - 1; piece[n] == '\n' {
		piece = piece[:n]
	} else if !whole {
		return piece, true, true
	}
	if n := len(piece) - 1; n >= 0 && piece[n] == '\r' {
		piece = piece[:n]
	}
	return piece, false, true
}
