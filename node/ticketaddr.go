package node

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"lightcone/memo"
)

// Addresses in a ticket take few bytes: one that says of what sort the host and the
// transport are, the host, two of the port, and of a relay its key. What has another
// form stands there as its text.
//
//	code    host in bits 0 to 2, transport in 3 to 5, relayed in 6; 0: text
//	text    uvarint length, bytes
//	host    4 or 16 bytes, or a name: uvarint length, bytes
//	port    u16be
//	relay   32 bytes, an ed25519 key, when relayed

var (
	addrHosts      = []string{"", "ip4", "ip6", "dns", "dns4", "dns6"}
	addrTransports = []string{"tcp/%d", "udp/%d/quic-v1", "tcp/%d/ws", "tcp/%d/tls/ws", "udp/%d/webrtc-direct"}
)

const (
	addrTransportShift = 3
	addrRelayed        = 1 << 6
	relayMark          = "/p2p-circuit"
)

// appendAddr appends the short form of a multiaddr.
func appendAddr(b []byte, text string) []byte {
	if short, ok := shortAddr(text); ok {
		return append(b, short...)
	}
	return append(binary.AppendUvarint(append(b, 0), uint64(len(text))), text...)
}

// shortAddr writes an address of a known form; false for any other.
func shortAddr(text string) ([]byte, bool) {
	direct, relayed := strings.CutSuffix(text, relayMark)
	var relay memo.Author
	if relayed {
		at := strings.LastIndex(direct, "/p2p/")
		if at < 0 {
			return nil, false
		}
		var err error
		if relay, err = memo.ParseAuthor(direct[at+len("/p2p/"):]); err != nil {
			return nil, false
		}
		direct = direct[:at]
	}
	parts := strings.SplitN(direct, "/", 4) // "", host's sort, host, transport
	if len(parts) != 4 || parts[0] != "" {
		return nil, false
	}
	sort := slices.Index(addrHosts, parts[1])
	if sort < 1 {
		return nil, false
	}
	host, ok := shortHost(sort, parts[2])
	transport, port, known := shortTransport(parts[3])
	if !ok || !known {
		return nil, false
	}
	code := byte(sort) | byte(transport)<<addrTransportShift
	if relayed {
		code |= addrRelayed
	}
	b := binary.BigEndian.AppendUint16(append([]byte{code}, host...), port)
	if relayed {
		b = append(b, relay[:]...)
	}
	if again, rest, err := readAddr(b); err != nil || len(rest) > 0 || again != text {
		return nil, false // it would come back in another spelling
	}
	return b, true
}

func shortHost(sort int, host string) ([]byte, bool) {
	if strings.HasPrefix(addrHosts[sort], "dns") {
		return append(binary.AppendUvarint(nil, uint64(len(host))), host...), true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Zone() != "" || ip.Is4() != (addrHosts[sort] == "ip4") {
		return nil, false
	}
	return ip.AsSlice(), true
}

func shortTransport(text string) (transport int, port uint16, ok bool) {
	parts := strings.Split(text, "/")
	if len(parts) < 2 {
		return 0, 0, false
	}
	n, err := strconv.ParseUint(parts[1], 10, 16)
	if err != nil {
		return 0, 0, false
	}
	for i, form := range addrTransports {
		if fmt.Sprintf(form, n) == text {
			return i, uint16(n), true
		}
	}
	return 0, 0, false
}

// readAddr reads what appendAddr wrote and returns what follows it.
func readAddr(b []byte) (text string, rest []byte, err error) {
	r := addrReader{b: b}
	code := r.bytes(1)
	if r.bad {
		return "", nil, errAddr
	}
	if code[0] == 0 {
		text = string(r.bytes(r.length()))
		return text, r.b, r.err()
	}
	sort, transport := int(code[0]&7), int(code[0]>>addrTransportShift&7)
	if sort == 0 || sort >= len(addrHosts) || transport >= len(addrTransports) || code[0] > addrRelayed|0x3f {
		return "", nil, errAddr
	}
	var host string
	switch addrHosts[sort] {
	case "ip4":
		ip, _ := netip.AddrFromSlice(r.bytes(4))
		host = ip.String()
	case "ip6":
		ip, _ := netip.AddrFromSlice(r.bytes(16))
		host = ip.String()
	default:
		host = string(r.bytes(r.length()))
	}
	port := r.bytes(2)
	if r.bad {
		return "", nil, errAddr
	}
	text = fmt.Sprintf("/%s/%s/"+addrTransports[transport], addrHosts[sort], host, binary.BigEndian.Uint16(port))
	if code[0]&addrRelayed != 0 {
		relay := r.bytes(len(memo.Author{}))
		if r.bad {
			return "", nil, errAddr
		}
		text += "/p2p/" + memo.Author(relay).String() + relayMark
	}
	return text, r.b, nil
}

// errAddr reports an address that does not decode.
var errAddr = fmt.Errorf("%w: an address is damaged", ErrBadTicket)

// addrReader takes bytes from the front; bad says that there were too few.
type addrReader struct {
	b   []byte
	bad bool
}

func (r *addrReader) bytes(n int) []byte {
	if n > len(r.b) {
		r.bad = true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *addrReader) length() int {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > maxTicketText {
		r.bad = true
		return 0
	}
	r.b = r.b[size:]
	return int(n)
}

func (r *addrReader) err() error {
	if r.bad {
		return errAddr
	}
	return nil
}

// ticketAddrs picks the addresses that a ticket carries: those that others can reach
// before those of this machine alone, and of as many forms as there is room for.
func ticketAddrs(all []string, room int) (out []string) {
	left := slices.Clone(all)
	slices.SortStableFunc(left, func(a, b string) int { return rank(a) - rank(b) })
	taken := map[string]bool{} // forms
	for _, again := range []bool{false, true} {
		for _, a := range left {
			size := len(appendAddr(nil, a))
			if len(out) == maxShortAddrs || size > room || slices.Contains(out, a) || !again && taken[form(a)] {
				continue
			}
			if loops(a) && len(out) > 0 && !loops(out[0]) {
				continue // of use on this machine only
			}
			out, room, taken[form(a)] = append(out, a), room-size, true
		}
	}
	return out
}

// rank orders addresses by how likely a stranger can use them, the least number first.
func rank(addr string) int {
	host, _ := netip.ParseAddr(hostOf(addr))
	switch {
	case strings.HasSuffix(addr, relayMark):
		return 2
	case !host.IsValid(): // a name
		return 0
	case host.IsLoopback():
		return 4
	case host.IsLinkLocalUnicast():
		return 3
	case host.IsPrivate():
		return 1
	}
	return 0
}

func loops(addr string) bool {
	host, err := netip.ParseAddr(hostOf(addr))
	return err == nil && host.IsLoopback()
}

func hostOf(addr string) string {
	parts := strings.SplitN(addr, "/", 4)
	if len(parts) < 3 {
		return ""
	}
	return parts[2]
}

// form is the sort of an address's host and its transport.
func form(addr string) string {
	b := appendAddr(nil, addr)
	return string(b[:1])
}
