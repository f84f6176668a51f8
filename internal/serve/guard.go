package serve

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/evalworker/evalworker/internal/base/secret"
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

// Protect serves the requests that Allows allows, and lets their connections stay open
// after the answer; deny answers the others, with the error.
func (g Guard) Protect(next http.Handler, deny func(http.ResponseWriter, *http.Request, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ok, err := g.Allows(r); !ok {
			deny(w, r, err)
			return
		}
		keep(w, r)
		next.ServeHTTP(w, r)
	})
}

// Admit serves the requests that a web page of another origin cannot have made; deny
// answers the others with the reason. No method is exempt: a page must not read either.
//
// Browsers say in Sec-Fetch-Site and Origin which page a request comes from. A page can
// also make its own name resolve to this machine, and is then of the same origin as the
// server; that shows in the host, see [Guard.HostAllowed].
func (g Guard) Admit(next http.Handler, deny func(w http.ResponseWriter, r *http.Request, reason string)) http.Handler {
	origin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		checked := r
		if r.Method != http.MethodPost { // of those that only read, Check lets every one pass
			post := *r
			post.Method, checked = http.MethodPost, &post
		}
		switch {
		case !g.HostAllowed(r.Host):
			deny(w, r, "want an IP address or localhost as the host; with a token any name is accepted")
		case origin.Check(checked) != nil:
			deny(w, r, "requests from web pages are not accepted")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// HostAllowed reports whether a request's Host header is acceptable. With a token any
// is. Without one it must be an IP address or localhost, in any case and with or without
// the final dot, with a port or without; or be empty, which no browser sends. A web page
// can make its own name resolve to this machine, but it cannot have such a host.
func (g Guard) HostAllowed(host string) bool {
	if !g.open() || host == "" {
		return true
	}
	name := host
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		name = host[:i]
		if _, err := strconv.ParseUint(host[i+1:], 10, 16); err != nil {
			return false
		}
	}
	if inner, ok := strings.CutPrefix(name, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		return ok && err == nil && addr.Is6()
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.Is4() || strings.EqualFold(strings.TrimSuffix(name, "."), "localhost")
}
