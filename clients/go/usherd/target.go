package usherd

import (
	"net/netip"
	"net/url"
	"strings"
)

// staysHere says whether every address of that gRPC target is surely on this machine: a unix socket, loopback, or
// localhost. A target that could be read in two ways is not.
func staysHere(target string) bool {
	scheme, rest, found := strings.Cut(target, ":")
	if found {
		switch scheme {
		case "unix", "unix-abstract":
			return true
		case "dns", "passthrough":
			return isLoopback(strings.TrimPrefix(rest, "///"))
		}
	}
	return isLoopback(target)
}

func isLoopback(address string) bool {
	if strings.ContainsAny(address, "/?#@%,") {
		return false
	}
	parsed, err := url.Parse("//" + address)
	if err != nil {
		return false
	}
	if parsed.Hostname() == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(parsed.Hostname())
	return err == nil && ip.Unmap().IsLoopback()
}
