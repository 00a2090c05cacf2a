package api

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// allowedHosts are the names under which this machine may be addressed. Any
// other is a page that had its own name point here (DNS rebinding).
var allowedHosts = []string{"127.0.0.1", "localhost", "::1"}

// openPaths answer without a token: probes and the API's description.
var openPaths = []string{"/healthz", "/readyz", "/openapi.json", "/openapi.yaml"}

// newToken returns an unguessable bearer token.
func newToken() string { return rand.Text() }

// guard lets a request through to next when its Host is allowed, no page of
// another origin sent it, and it carries the token.
func guard(token string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !allowedHost(r.Host):
			NewProblem(http.StatusForbidden, Forbidden, "the Host header names "+r.Host,
				"address the node as 127.0.0.1 or localhost").write(w)
		case crossOrigin(r):
			NewProblem(http.StatusForbidden, Forbidden, "the request comes from a web page of another origin",
				"call the API from a program, not from a page").write(w)
		case !slices.Contains(openPaths, r.URL.Path) && !authorized(r, token):
			w.Header().Set("WWW-Authenticate", `Bearer realm="lightcone"`)
			NewProblem(http.StatusUnauthorized, Unauthorized, "the bearer token is missing or wrong",
				"send \"Authorization: Bearer TOKEN\" with the token of "+controlFile+" in the node's directory").write(w)
		default:
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Cache-Control", "no-store")
			next.ServeHTTP(w, r)
		}
	})
}

func allowedHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return slices.Contains(allowedHosts, strings.Trim(host, "[]"))
}

// crossOrigin reports whether a browser sent r on behalf of another origin. What
// is no browser sends neither header.
func crossOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host != r.Host
}

// authorized compares digests, which makes the time independent of the length too.
func authorized(r *http.Request, token string) bool {
	scheme, got, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	a, b := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(token))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
