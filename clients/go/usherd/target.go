package usherd

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
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

// misread is an error for a target that gRPC would take for another than was meant.
func misread(target string) error {
	if target == "" {
		return errors.New(`usherd: expected a gRPC target, such as "localhost:50051"`)
	}
	scheme, _, found := strings.Cut(target, "://")
	scheme = strings.ToLower(scheme)
	if found && slices.Contains([]string{"http", "https", "grpc", "grpcs", "tcp"}, scheme) {
		return errors.New("usherd: expected a gRPC target without " + scheme + "://")
	}
	return nil
}

// lacksPort says whether gRPC would take that address of this machine for one at port 443, where nobody speaks plaintext.
func lacksPort(target string) bool {
	scheme, rest, found := strings.Cut(target, ":")
	if found && scheme == "dns" {
		target = strings.TrimPrefix(rest, "///")
	}
	parsed, err := url.Parse("//" + target)
	return err == nil && isLoopback(target) && parsed.Port() == ""
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
