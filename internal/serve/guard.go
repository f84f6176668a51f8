package serve

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/evalworker/evalworker/internal/config/fault"
	"github.com/evalworker/evalworker/internal/config/secret"
)

// minToken is the least number of characters of a token: one that is shorter
// could be guessed by trying.
const minToken = 16

// access is what a request may see.
type access int

const (
	accessNone    access = iota // no token, or a wrong one
	accessAll                   // the token, or no token is configured
	accessUnknown               // the token's file cannot be read
)

// guard tells who may see what. The zero value lets everybody see everything,
// which a server on loopback does unless a token is configured.
type guard struct {
	token secret.String
	file  string
}

// access looks at a request's token. The file is read for each request that has
// one, so that a rotated token counts at once.
func (g guard) access(r *http.Request) access {
	if g.token == "" && g.file == "" {
		return accessAll
	}
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if given = strings.TrimSpace(given); !strings.EqualFold(scheme, "Bearer") || given == "" {
		return accessNone
	}
	want := g.token
	if g.file != "" {
		var err error
		if want, err = secret.FromFile(g.file); err != nil || len(want) < minToken {
			return accessUnknown
		}
	}
	// Hashes are of one length, and comparing them takes the same time whatever
	// they are: how long it took says nothing about the token.
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(want.Reveal()))
	if subtle.ConstantTimeCompare(a[:], b[:]) != 1 {
		return accessNone
	}
	return accessAll
}

// only serves those who may see everything.
func (g guard) only(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch g.access(r) {
		case accessAll:
			serve(w, r)
		case accessUnknown:
			write(w, http.StatusServiceUnavailable, "the token cannot be checked: health.token_file is unreadable or too short")
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="evalworker"`)
			write(w, http.StatusUnauthorized, "a bearer token is needed: Authorization: Bearer TOKEN")
		}
	}
}

// validateToken needs to know where the server listens.
func (c Config) validateToken(fs *fault.List) {
	switch {
	case c.Token != "" && c.TokenFile != "":
		fs.Add("token_file", "health.token is set too", "want one of the two")
	case c.TokenFile != "":
		token, err := secret.FromFile(c.TokenFile)
		switch {
		case err != nil:
			fs.Add("token_file", err.Error(), "want a file that holds the token alone")
		case len(token) < minToken:
			fs.Add("token_file", fmt.Sprintf("%s holds a token of %d characters", c.TokenFile, len(token)), fmt.Sprintf("want %d or more, such as openssl rand -hex 16 makes", minToken))
		}
	case c.Token != "" && len(c.Token) < minToken:
		fs.Add("token", fmt.Sprintf("%d characters can be guessed", len(c.Token)), fmt.Sprintf("want %d or more, such as openssl rand -hex 16 makes", minToken))
	case c.Token == "" && !onLoopback(c.Listen):
		fs.Add("listen", fmt.Sprintf("%q is reached from other machines, and there is no token", c.Listen), "want health.token_file (or health.token), or an address of this machine alone, such as 127.0.0.1:8787")
	}
}

// onLoopback reports whether an address is reached from this machine alone. A
// name is believed only when it is the one that always means it, and no host
// means all interfaces.
func onLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return true // no address, which is a fault of its own
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
