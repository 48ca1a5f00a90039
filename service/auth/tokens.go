package auth

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// minTokenBytes is the shortest token in plain text. Guessing 16 random characters takes longer than any server runs.
const minTokenBytes = 16

// token is an entry of the tokens file. The token itself is not kept.
type token struct {
	name    string
	hash    [sha256.Size]byte
	groups  []Group
	expires time.Time // zero for never
}

func (t *token) expired(now time.Time) bool { return !t.expires.IsZero() && !now.Before(t.expires) }

// allows is nil if the token opens the group.
func (t *token) allows(what string, group Group) error {
	switch {
	case group == "":
		return inNoGroup(what)
	case !slices.Contains(t.groups, group):
		return forGroup(group, "the token %s does not open %s, which is of the group %s; ask whoever runs the server to add it", t.name, what, group)
	}
	return nil
}

// tokens is a tokens file.
type tokens []token

// find compares with every token, and each comparison takes the same time, whatever the tokens have in common: how long
// it takes tells nothing about them. Nil if there is no such token.
func (t tokens) find(secret string) *token {
	hash := sha256.Sum256([]byte(secret))
	found := -1
	for i := range t {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], t[i].hash[:]), i, found)
	}
	if found < 0 {
		return nil
	}
	return &t[found]
}

func (t tokens) warnOfDates(path string, log *slog.Logger) {
	for i := range t {
		if t[i].expired(time.Now()) {
			log.Warn("a token has expired", "file", path, "token", t[i].name, "since", t[i].expires)
		}
	}
}

// entry is an entry as it is written.
type entry struct {
	Name    string  `yaml:"name"`
	Token   string  `yaml:"token"`
	SHA256  string  `yaml:"sha256"`
	Groups  []Group `yaml:"groups"`
	Expires string  `yaml:"expires"`
}

// parseTokens reads a tokens file. Its errors hold no tokens.
func parseTokens(path string, data []byte) (*tokens, error) {
	var entries []entry
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	const want = "; want one list of name, token or sha256, groups and expires"
	if err := decoder.Decode(&entries); err != nil && !errors.Is(err, io.EOF) {
		return nil, fileErrorf(path, "%s", withoutValues(err)+want)
	}
	if len(entries) == 0 {
		return nil, fileErrorf(path, "holds no tokens, and nobody could call"+want)
	}
	if err := decoder.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, fileErrorf(path, "goes on after its list"+want)
	}
	all := make(tokens, 0, len(entries))
	names, hashes := map[string]bool{}, map[[sha256.Size]byte]string{}
	for i, e := range entries {
		t, err := e.token()
		if err == nil && names[t.name] {
			err = errors.New("the name is used twice; logs could not tell the two apart")
		}
		if other := hashes[t.hash]; err == nil && other != "" {
			err = fmt.Errorf("%s has the same token", other)
		}
		if err != nil {
			return nil, fileErrorf(path, "token %d%s: %w", i+1, called(e.Name), err)
		}
		names[t.name], hashes[t.hash] = true, t.name
		all = append(all, t)
	}
	return &all, nil
}

func called(name string) string {
	if !nameable.MatchString(name) {
		return ""
	}
	return " (" + name + ")"
}

// withoutValues keeps of an error of YAML only where it is: its text may quote a token.
func withoutValues(err error) string {
	if at := regexp.MustCompile(`line \d+`).FindString(err.Error()); at != "" {
		return "is not right in " + at
	}
	return "is not a list in YAML"
}

var (
	// nameable is what a token may be called, so that it stands in logs and metrics as it is.
	nameable = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@/-]{0,63}$`)
	// bearer is what may follow "Bearer" (RFC 6750).
	bearer = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)
)

func (e *entry) token() (t token, err error) {
	t = token{name: e.Name, groups: e.Groups}
	switch {
	case !nameable.MatchString(e.Name):
		return t, errors.New("name is missing, or is not 1 to 64 letters, digits and any of . _ @ / -")
	case (e.Token == "") == (e.SHA256 == ""):
		return t, errors.New("give either token or sha256")
	case e.Token != "":
		if len(e.Token) < minTokenBytes || !bearer.MatchString(e.Token) {
			return t, fmt.Errorf("token wants at least %d letters, digits and any of . _ ~ + / -; make one by openssl rand -hex 32", minTokenBytes)
		}
		t.hash = sha256.Sum256([]byte(e.Token))
	default:
		hash, err := hex.DecodeString(e.SHA256)
		if err != nil || len(hash) != sha256.Size {
			return t, errors.New("sha256 wants 64 hexadecimal digits, as from printf %s TOKEN | sha256sum")
		}
		t.hash = [sha256.Size]byte(hash)
	}
	if len(e.Groups) == 0 {
		return t, fmt.Errorf("groups is missing; choose among %s", groupNames())
	}
	if i := slices.IndexFunc(e.Groups, func(g Group) bool { return !isGroup(g) }); i >= 0 {
		return t, fmt.Errorf("groups[%d] is not known; choose among %s", i, groupNames())
	}
	if t.expires, err = parseExpiry(e.Expires); err != nil {
		return t, err
	}
	return t, nil
}

// parseExpiry is the moment from which a token is refused: a date means its beginning, in UTC.
func parseExpiry(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("expires wants a date such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z")
}
