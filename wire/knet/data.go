package knet

import (
	"encoding/binary"
	"fmt"
)

// maxChannels bounds the channel numbers (KNET_DATAFD_MAX).
const maxChannels = 32

// A Data packet carries a message or a fragment of one.
//
//	header 6 | seq 2 | compress 1 | pad 1 | bcast 1 | frag_num 1 | frag_seq 1 | channel 1 | bytes
type Data struct {
	Header
	// Seq is the sender's message number: the same in every fragment, 1 for
	// its first message, and 1 again after 65535.
	Seq uint16
	// Method says how the whole message was compressed, None for not at all.
	Method Method
	// Broadcast is 1 if the sender sent the message to every host. It is for
	// the eye only: no receiver reads it.
	Broadcast uint8
	// FragNum is the number of fragments, 1 for a whole message. FragSeq counts
	// them from 1, but is 0 in a whole message.
	FragNum, FragSeq uint8
	// Channel is the data stream; totem's is 0.
	Channel int8
	// Payload is not empty. After Decode it aliases the packet.
	Payload []byte

	pad2 byte
}

// Decode reads a whole packet; n is its length. It refuses what releases up to
// 1.34 accept and then trip over: fragment numbers out of range, channels that
// do not exist, an empty fragment (pckt_defrag checks the same since 1.35).
func (d *Data) Decode(b []byte) (n int, err error) {
	h, err := parseHeaderOf("data", b, DataLen+1, TypeData, TypeData)
	if err != nil {
		return 0, err
	}
	num, seq, channel := b[11], b[12], int8(b[13])
	if num < 1 || num > MaxFragments || seq > num || num > 1 && seq == 0 {
		return 0, fmt.Errorf("knet: data: fragment %d of %d", seq, num)
	}
	if channel < 0 || channel >= maxChannels {
		return 0, fmt.Errorf("knet: data: channel %d", channel)
	}
	*d = Data{
		Header:    h,
		Seq:       binary.BigEndian.Uint16(b[6:]),
		Method:    Method(b[8]),
		pad2:      b[9],
		Broadcast: b[10],
		FragNum:   num,
		FragSeq:   seq,
		Channel:   channel,
		Payload:   b[DataLen:],
	}
	return len(b), nil
}

// Append writes the packet.
func (d *Data) Append(b []byte) []byte {
	return append(d.AppendHeader(b), d.Payload...)
}

// AppendHeader writes the 14 bytes before the payload, for a sender that has
// the fragment elsewhere. The type written is that of a data packet.
func (d *Data) AppendHeader(b []byte) []byte {
	h := d.Header
	h.Type = TypeData
	b = h.append(b)
	b = binary.BigEndian.AppendUint16(b, d.Seq)
	return append(b, byte(d.Method), d.pad2, d.Broadcast, d.FragNum, d.FragSeq, byte(d.Channel))
}
