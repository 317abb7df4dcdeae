package config

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// kind is how a setting is written and which Go type holds it.
type kind string

const (
	plain    kind = "string"   // string
	boolean  kind = "bool"     // bool
	integer  kind = "int"      // int
	duration kind = "duration" // time.Duration
	size     kind = "bytes"    // int
	list     kind = "list"     // []string; as a string, commas between
	words    kind = "words"    // []string; as a string, spaces between, since a room name may hold a comma
	networks kind = "networks" // []netip.Prefix; as a string, commas between
	secret   kind = "secret"   // Secret
	secrets  kind = "secrets"  // []Secret; as a string, one a line
	address  kind = "url"      // URL
	issuers  kind = "issuers"  // []Issuer; in the file only
)

// noun completes "x is not …" in an error.
func (k kind) noun() string {
	switch k {
	case boolean:
		return "true or false"
	case integer:
		return "a whole number"
	case duration:
		return "a duration with its unit, such as 30s"
	case size:
		return "a size such as 65536, 64KiB or 1MiB"
	case list:
		return "a list, or a string with commas between"
	case words:
		return "a list, or a string with spaces between"
	case networks:
		return "a list of addresses and networks, such as 10.0.0.7 and 10.0.0.0/8"
	case secrets:
		return "a string or a list of strings (quotes make it one)"
	case issuers:
		return "a list of issuers, such as [" + exampleIssuer + "]"
	default:
		return "a string (quotes make it one)"
	}
}

// hidden reports whether a value of this kind must not be shown, and so has a twin <key>_file.
func (k kind) hidden() bool { return k == secret || k == secrets || k == address }

// fileOnly reports whether a value of this kind is too deep for a flag or a variable.
func (k kind) fileOnly() bool { return k == issuers }

// separator stands between the items of a list that is written as a string; empty for what is no list.
func (k kind) separator() string {
	switch k {
	case list, networks:
		return ","
	case words:
		return " "
	case secrets:
		return "\n"
	default:
		return ""
	}
}

// decode turns what YAML gave into the kind's Go type. A string is read as a flag or a variable would be.
func (k kind) decode(raw any) (value any, ok bool) {
	switch raw := raw.(type) {
	case string:
		return k.parse(raw)
	case bool:
		return raw, k == boolean
	case int:
		if k == duration {
			return time.Duration(0), raw == 0 // any other needs a unit
		}
		return raw, k == integer || k == size
	case []any:
		items := make([]string, len(raw))
		for i, item := range raw {
			if items[i], ok = item.(string); !ok {
				return nil, false
			}
		}
		switch k {
		case list, words:
			return trimmed(items), true
		case networks:
			return parseNetworks(trimmed(items))
		case secrets:
			return filled(items), true
		}
	}
	return nil, false
}

// parse reads the text of a flag, a variable or a secret's file.
func (k kind) parse(s string) (value any, ok bool) {
	var err error
	switch k {
	case boolean:
		value, err = strconv.ParseBool(s)
	case integer:
		value, err = strconv.Atoi(s)
	case duration:
		value, err = time.ParseDuration(s)
	case size:
		return parseSize(s)
	case list:
		value = trimmed(strings.Split(s, ","))
	case words:
		value = strings.Fields(s)
	case networks:
		return parseNetworks(trimmed(strings.Split(s, ",")))
	case secret:
		value = Secret(trimNewline(s))
	case secrets:
		value = filled(strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n"))
	case address:
		value = URL(trimNewline(s))
	case issuers:
		return []Issuer(nil), s == ""
	default:
		value = s
	}
	return value, err == nil
}

// parseSize reads a number of bytes, which may have a binary unit.
func parseSize(s string) (int, bool) {
	shift := 0
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if number, ok := strings.CutSuffix(s, unit); ok {
			s, shift = number, 10*(i+1)
		}
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > math.MaxInt>>shift {
		return 0, false
	}
	return n << shift, true
}

// parseNetworks reads networks, and addresses as networks of one. IPv4 in IPv6's clothes becomes IPv4, as which a
// peer's address is compared.
func parseNetworks(items []string) ([]netip.Prefix, bool) {
	all := make([]netip.Prefix, 0, len(items))
	for _, item := range items {
		network, err := netip.ParsePrefix(item)
		if addr, notAddr := netip.ParseAddr(item); notAddr == nil && addr.Zone() == "" {
			network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		const mapped = 96 // bits before the IPv4 address
		if addr := network.Addr(); addr.Is4In6() {
			network = netip.PrefixFrom(addr.Unmap(), network.Bits()-mapped)
		}
		if err != nil || !network.IsValid() {
			return nil, false
		}
		all = append(all, network)
	}
	return all, true
}

// trimmed trims each item and drops the empty ones.
func trimmed(items []string) []string {
	kept := make([]string, 0, len(items))
	for _, item := range items {
		if item = strings.TrimSpace(item); item != "" {
			kept = append(kept, item)
		}
	}
	return kept
}

// filled drops blank items, and leaves the others as they are: a space may belong to a secret.
func filled(items []string) []Secret {
	kept := make([]Secret, 0, len(items))
	for _, item := range items {
		if strings.TrimSpace(item) != "" {
			kept = append(kept, Secret(item))
		}
	}
	return kept
}

// trimNewline drops the one line ending that editors and echo leave at the end of a file.
func trimNewline(s string) string {
	return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
}
