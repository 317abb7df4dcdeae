package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// proxyV2 is a header of version 2.
func proxyV2(command, family byte, block string) string {
	length := binary.BigEndian.AppendUint16(nil, uint16(len(block)))
	return proxySignature + string([]byte{0x20 | command, family}) + string(length) + block
}

// Blocks of addresses: 192.0.2.7:4660 and 2001:db8::7:4660, to somewhere.
const (
	block4 = "\xc0\x00\x02\x07\x0a\x00\x00\x01\x12\x34\x00\x50"
	block6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07" + "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" + "\x12\x34\x00\x50"
)

func TestPROXYHeaderNamesTheClientAndNothingBeyondItIsRead(t *testing.T) {
	for header, want := range map[string]string{
		"PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\n":          "192.0.2.7:4660",
		"PROXY TCP6 2001:db8::7 2001:db8::1 4660 80\r\n":     "[2001:db8::7]:4660",
		"PROXY TCP6 ::ffff:192.0.2.7 ::1 0 65535\r\n":        "[::ffff:192.0.2.7]:0",
		"PROXY UNKNOWN\r\n":                                  "",
		"PROXY UNKNOWN ::1 ::1 1 2\r\n":                      "",
		proxyV2(1, 0x11, block4):                             "192.0.2.7:4660",
		proxyV2(1, 0x21, block6):                             "[2001:db8::7]:4660",
		proxyV2(1, 0x11, block4+"\x04\x00\x01x"):             "192.0.2.7:4660", // with a TLV
		proxyV2(1, 0x11, block4+strings.Repeat("\x04", 524)): "192.0.2.7:4660",
		proxyV2(0, 0x00, ""):                                 "", // LOCAL
		proxyV2(0, 0x11, block4):                             "",
		proxyV2(1, 0x00, "whatever"):                         "",
		proxyV2(1, 0x12, block4):                             "",
		proxyV2(1, 0x31, strings.Repeat("/", 216)):           "",
	} {
		r := strings.NewReader(header + "GET / HTTP/1.1\r\n")
		got, err := readProxyHeader(r)
		if err != nil {
			t.Errorf("%q: %v", header, err)
			continue
		}
		if got.IsValid() != (want != "") || got.IsValid() && got.String() != want {
			t.Errorf("%q names %v, want %q", header, got, want)
		}
		if rest, _ := io.ReadAll(r); string(rest) != "GET / HTTP/1.1\r\n" {
			t.Errorf("%q: after it %q is left, want the request", header, rest)
		}
	}
}

func TestMalformedPROXYHeaderIsRefused(t *testing.T) {
	for _, header := range []string{
		"", "P", "PROXY", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x00",
		"PROXY TCP4 192.0.2.7 10.0.0.1 4660 80", "PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\n",
		"PROXY TCP4 192.0.2.7 10.0.0.1 4660\r\n", "PROXY TCP4 192.0.2.7 10.0.0.1 4660 80 1\r\n",
		"PROXY TCP4  192.0.2.7 10.0.0.1 4660 80\r\n", "PROXY tcp4 192.0.2.7 10.0.0.1 4660 80\r\n",
		"PROXY UDP4 192.0.2.7 10.0.0.1 4660 80\r\n", "PROXY UNKNOWNS\r\n", "proxy TCP4 192.0.2.7 10.0.0.1 4660 80\r\n",
		"PROXY TCP4 2001:db8::7 ::1 1 2\r\n", "PROXY TCP6 192.0.2.7 10.0.0.1 1 2\r\n", "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
		"PROXY TCP4 192.0.2.07 10.0.0.1 1 2\r\n", "PROXY TCP4 192.0.2.7 nowhere 1 2\r\n", "PROXY TCP4 192.0.2.7 10.0.0.1 65536 2\r\n",
		"PROXY TCP4 192.0.2.7 10.0.0.1 -1 2\r\n", "PROXY TCP4 192.0.2.7 10.0.0.1 1 \r\n",
		"PROXY UNKNOWN " + strings.Repeat("x", 92) + "\r\n", // 108 bytes
		proxySignature, proxyV2(1, 0x11, block4)[:20], proxyV2(1, 0x11, block4[:11]), proxyV2(1, 0x21, block4), proxyV2(2, 0x11, block4),
		proxyV2(1, 0x41, block4), proxyV2(1, 0x13, block4), proxyV2(1, 0x11, block4+strings.Repeat("\x04", 525)),
		strings.Replace(proxyV2(1, 0x11, block4), "\x21\x11", "\x11\x11", 1), // version 1 in the form of 2
	} {
		if got, err := readProxyHeader(strings.NewReader(header)); err == nil {
			t.Errorf("%q was not refused, and names %v", header, got)
		}
	}
	longest := "PROXY UNKNOWN " + strings.Repeat("x", 91) + "\r\n"
	if _, err := readProxyHeader(strings.NewReader(longest)); err != nil {
		t.Errorf("a line of %d bytes: %v", len(longest), err)
	}
}

// FuzzProxyHeader: whatever comes, nothing panics, nothing beyond the header is read, and an
// address is one that stands in the header.
func FuzzProxyHeader(f *testing.F) {
	for _, seed := range []string{"PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\nGET", "PROXY UNKNOWN\r\n", proxyV2(1, 0x11, block4+"\x04\x00\x00") + "GET",
		proxyV2(1, 0x21, block6), proxyV2(0, 0, ""), "PROXY TCP6 ::1 ::1 1 2\r\n", "PROXY TCP4 0.0.0.0  0 \r\n", "GET / HTTP/1.1\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		r := bytes.NewReader(sent)
		source, err := readProxyHeader(r)
		header := sent[:len(sent)-r.Len()]
		if most := 16 + proxyV2Most; len(header) > most {
			t.Fatalf("%d bytes were read, want %d at most", len(header), most)
		}
		if err != nil {
			if source.IsValid() {
				t.Fatalf("an error, and yet %v", source)
			}
			return
		}
		if bytes.HasPrefix(header, []byte(proxySignature)) {
			checkV2(t, header, source)
			return
		}
		if end := bytes.Index(sent, []byte("\r\n")); !bytes.HasPrefix(header, []byte(proxyV1)) || len(header) != end+2 {
			t.Fatalf("%q was read of %q", header, sent)
		}
		fields := strings.Split(string(header), " ")
		if !source.IsValid() {
			return
		}
		if addr, err := netip.ParseAddr(fields[2]); err != nil || addr != source.Addr() {
			t.Fatalf("%v is not the address of %q", source, header)
		}
	})
}

func checkV2(t *testing.T, header []byte, source netip.AddrPort) {
	t.Helper()
	if want := 16 + int(binary.BigEndian.Uint16(header[14:])); len(header) != want {
		t.Fatalf("%d bytes were read, want %d", len(header), want)
	}
	if source.IsValid() && !slices.Equal(source.Addr().AsSlice(), header[16:16+source.Addr().BitLen()/8]) {
		t.Fatalf("%v is not the address of %q", source, header)
	}
}
