package serve

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/evalworker/evalworker/internal/config/secret"
)

// MinToken is the least number of characters of a token: a shorter one could be
// guessed by trial.
const MinToken = 16

// Guard decides what a request may see by its bearer token. The zero value, or
// one without a token, lets every request see everything, which is for servers on
// loopback. TokenFile names a file that holds only the token; it replaces Token.
type Guard struct {
	Token     secret.String
	TokenFile string
}

// Allows reports whether a request may see everything. The error says why its
// token cannot be checked. The token file is read for each request that carries a
// token, so that a rotated token takes effect at once.
func (g Guard) Allows(r *http.Request) (bool, error) {
	if g.open() {
		return true, nil
	}
	scheme, got, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if got = strings.TrimSpace(got); !strings.EqualFold(scheme, "Bearer") || got == "" {
		return false, nil
	}
	want := g.Token
	if g.TokenFile != "" {
		var err error
		if want, err = secret.FromFile(g.TokenFile); err != nil || len(want) < MinToken {
			return false, errors.New("the token file is unreadable or too short")
		}
	}
	// Hashes have one length, and comparing them always takes the same time, so the
	// time of an answer reveals nothing about the token.
	a, b := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(want.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1, nil
}

func (g Guard) open() bool { return g.Token == "" && g.TokenFile == "" }

// Protect serves the requests that Allows allows; deny answers the others, with the error.
func (g Guard) Protect(next http.Handler, deny func(http.ResponseWriter, *http.Request, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ok, err := g.Allows(r); !ok {
			deny(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// HostAllowed reports whether a request's Host header is acceptable. With a token any
// is; without one only an IP address, localhost, or an empty one, which no browser
// sends. A web page can make its own name resolve to this machine, and is then of the
// same origin as the server, but it cannot do so with an address.
func (g Guard) HostAllowed(host string) bool {
	if !g.open() {
		return true
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	_, err := netip.ParseAddr(host)
	return err == nil || host == "" || strings.EqualFold(host, "localhost")
}
