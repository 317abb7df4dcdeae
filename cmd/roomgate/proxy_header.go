package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// What the PROXY protocol (haproxy.org, proxy-protocol.txt) sets, and what of it is taken here.
const (
	proxySignature = "\r\n\r\n\x00\r\nQUIT\n" // begins version 2
	proxyV1        = "PROXY "                 // begins version 1
	proxyV1Most    = 107                      // bytes of a line, with its CR LF (section 2.1)
	proxyV2Most    = 536                      // bytes after the first 16; addresses need 216 at most, the rest is for TLVs, which are ignored
)

// errNoProxyHeader is returned for what is no header from its beginning.
var errNoProxyHeader = errors.New("no PROXY header")

// readProxyHeader reads the header that a connection begins with, and not a byte beyond it, so
// that whoever reads next finds the client's first. It returns the client's address; the zero
// AddrPort if the header names none (UNKNOWN, LOCAL, a family other than TCP over IP).
func readProxyHeader(r io.Reader) (netip.AddrPort, error) {
	// No header is shorter than these: of version 1, "PROXY UNKNOWN" and its line's end are 15.
	head := make([]byte, len(proxySignature), proxyV1Most)
	switch _, err := io.ReadFull(r, head); {
	case err != nil:
		return netip.AddrPort{}, err
	case string(head) == proxySignature:
		return readProxyV2(r)
	case bytes.HasPrefix(head, []byte(proxyV1)):
		return readProxyV1(r, head)
	default:
		return netip.AddrPort{}, errNoProxyHeader
	}
}

// readProxyV1 reads the rest of a line that begins with head, byte by byte.
func readProxyV1(r io.Reader, head []byte) (netip.AddrPort, error) {
	for !bytes.HasSuffix(head, []byte("\r\n")) {
		if len(head) == proxyV1Most {
			return netip.AddrPort{}, fmt.Errorf("PROXY line of more than %d bytes", proxyV1Most)
		}
		n, err := r.Read(head[len(head) : len(head)+1])
		head = head[:len(head)+n]
		if err != nil && n == 0 {
			return netip.AddrPort{}, unexpected(err)
		}
	}
	fields := strings.Split(string(head[len(proxyV1):len(head)-2]), " ")
	if fields[0] == "UNKNOWN" {
		return netip.AddrPort{}, nil // what follows it is to be ignored
	}
	if len(fields) != 5 {
		return netip.AddrPort{}, errors.New("PROXY line without a family, two addresses and two ports")
	}
	if _, err := proxyV1Address(fields[0], fields[2], fields[4]); err != nil { // the destination must be well formed, too
		return netip.AddrPort{}, err
	}
	return proxyV1Address(fields[0], fields[1], fields[3])
}

func proxyV1Address(family, address, port string) (netip.AddrPort, error) {
	addr, err := netip.ParseAddr(address)
	p, errPort := strconv.ParseUint(port, 10, 16)
	switch {
	case family != "TCP4" && family != "TCP6":
		return netip.AddrPort{}, errors.New("PROXY line of an unknown family")
	case err != nil || addr.Zone() != "" || addr.Is4() != (family == "TCP4"):
		return netip.AddrPort{}, errors.New("PROXY line with an address that is not of its family")
	case errPort != nil:
		return netip.AddrPort{}, errors.New("PROXY line with a bad port")
	}
	return netip.AddrPortFrom(addr, uint16(p)), nil
}

// readProxyV2 reads what follows the signature of version 2 (section 2.2).
func readProxyV2(r io.Reader) (netip.AddrPort, error) {
	var fixed [4]byte // version and command, family and protocol, length of the rest
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return netip.AddrPort{}, unexpected(err)
	}
	const local, proxy = 0x20, 0x21 // of version 2
	command, family, length := fixed[0], fixed[1], int(binary.BigEndian.Uint16(fixed[2:]))
	if command != local && command != proxy {
		return netip.AddrPort{}, fmt.Errorf("PROXY header of unknown version and command %#x", command)
	}
	if length > proxyV2Most {
		return netip.AddrPort{}, fmt.Errorf("PROXY header with more than %d bytes of addresses and additions", proxyV2Most)
	}
	rest := make([]byte, length)
	if _, err := io.ReadFull(r, rest); err != nil {
		return netip.AddrPort{}, unexpected(err)
	}
	if command == local {
		return netip.AddrPort{}, nil // the proxy itself, such as for a health check
	}
	return proxyV2Source(family, rest)
}

// proxyV2Source reads the source from a block of addresses: source, destination, and their ports.
func proxyV2Source(family byte, block []byte) (netip.AddrPort, error) {
	const unspecified, tcp4, udp4, tcp6, udp6, unixStream, unixDatagram = 0x00, 0x11, 0x12, 0x21, 0x22, 0x31, 0x32
	size := 0 // of an address
	switch family {
	case tcp4:
		size = 4
	case tcp6:
		size = 16
	case unspecified, udp4, udp6, unixStream, unixDatagram:
		return netip.AddrPort{}, nil // nothing that a TCP connection could come from
	default:
		return netip.AddrPort{}, fmt.Errorf("PROXY header of unknown family %#x", family)
	}
	if len(block) < 2*size+4 {
		return netip.AddrPort{}, errors.New("PROXY header that is too short for its addresses")
	}
	addr, _ := netip.AddrFromSlice(block[:size]) // of 4 or 16 bytes
	return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(block[2*size:])), nil
}

// unexpected is an end of the connection within a header.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
