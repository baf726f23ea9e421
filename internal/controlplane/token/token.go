// Package token keeps the bearer tokens of a control plane: who has one, what it
// allows and until when. A file of them holds salted hashes only, so that whoever
// reads the file, or a backup of it, cannot use it.
//
// A file is text, with one token a line:
//
//	mlops-tokens 1
//	# name  role  created  expires  hash
//	ci  plan  2026-11-05  2027-01-31  hmac-sha256:<salt>:<hash>
//
// Names are unique; dates are days in UTC, and a token works until the end of
// the day on which it expires; a dash instead of a day is never.
package token

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Role is what a token allows. Each role allows what the ones before it do.
type Role int

// The roles, from the least to the most.
const (
	// Read allows to read objects, lists, events and metrics.
	Read Role = iota + 1
	// Plan allows what `terraform plan` asks for: reads, and tokens for a short time.
	Plan
	// Apply allows to write.
	Apply
	// Admin allows to read the audit log, and to end anybody's tokens.
	Admin
)

var roleNames = []string{"read", "plan", "apply", "admin"}

// String is the role's name in files and messages.
func (r Role) String() string {
	if r < Read || r > Admin {
		return fmt.Sprintf("role %d", int(r))
	}
	return roleNames[r-1]
}

// Allows reports whether the role is enough where another one is needed.
func (r Role) Allows(needed Role) bool { return r >= needed }

// ParseRole finds a role by its name.
func ParseRole(name string) (Role, error) {
	if i := slices.Index(roleNames, name); i >= 0 {
		return Role(i + 1), nil
	}
	return 0, fmt.Errorf("%q is no role: the roles are %s, each with the rights of those before it", name, strings.Join(roleNames, ", "))
}

const (
	// secretPrefix makes tokens recognisable for people and secret scanners.
	secretPrefix = "mlops_"
	// MinLength is the shortest token that is accepted from elsewhere. One round
	// of a fast hash protects random tokens, and nothing that a person thought of.
	MinLength = 32
	// maxLength keeps hashing a header cheap.
	maxLength = 512

	saltBytes = 16
	algorithm = "hmac-sha256"
	dayLayout = "2006-01-02"
	never     = "-"
)

// Entry is what a file knows of a token. It does not hold the token.
type Entry struct {
	// Name says whose token it is, in the log, the events and the audit log.
	Name string
	Role Role
	// Created is the day on which the token was made.
	Created time.Time
	// Expires is the last day on which it works; zero is never.
	Expires time.Time

	salt, hash []byte
}

// Expired reports whether the token's last day is over.
func (e Entry) Expired(now time.Time) bool {
	return !e.Expires.IsZero() && !now.Before(e.Ends())
}

// Day writes a date of an entry as files do.
func Day(day time.Time) string {
	if day.IsZero() {
		return never
	}
	return day.UTC().Format(dayLayout)
}

// ParseDay reads a day of the form 2027-01-31, in UTC.
func ParseDay(text string) (time.Time, error) {
	day, err := time.Parse(dayLayout, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no date of the form 2027-01-31", text)
	}
	return day, nil
}

var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$`)

// Generate makes a new random token of 256 bits.
func Generate() string {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails: crypto/rand ends the program instead
	return secretPrefix + hex.EncodeToString(secret)
}

// CheckName says what is wrong with the name of a token.
func CheckName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("%q cannot be the name of a token: a name has up to 63 letters, digits and . _ @ -, and begins with a letter or digit", name)
	}
	return nil
}

// NewEntry is the entry of a token. Errors never show the token.
func NewEntry(name string, role Role, secret string, created, expires time.Time) (Entry, error) {
	if err := CheckName(name); err != nil {
		return Entry{}, err
	}
	switch {
	case len(secret) < MinLength || len(secret) > maxLength:
		return Entry{}, fmt.Errorf("a token has from %d to %d characters, this one has %d: `openssl rand -hex 32` makes a good one, and so does mlopsctl where none is given", MinLength, maxLength, len(secret))
	case strings.ContainsFunc(secret, func(c rune) bool { return c <= ' ' || c > '~' }):
		return Entry{}, errors.New("a token has visible ASCII characters only, and no white space: it goes into an HTTP header")
	}
	if _, err := ParseRole(role.String()); err != nil {
		return Entry{}, err
	}
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt)
	return Entry{Name: name, Role: role, Created: day(created), Expires: day(expires), salt: salt, hash: hash(salt, secret)}, nil
}

func day(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(24 * time.Hour)
}

// hash needs no slow function: there is no list of likely tokens to try, since
// each is 256 random bits.
func hash(salt []byte, secret string) []byte {
	mac := hmac.New(sha256.New, salt)
	mac.Write([]byte(secret))
	return mac.Sum(nil)
}

// Fingerprint identifies the token of the entry, and nobody can use it as one. A new
// token of the same name has another one.
func (e Entry) Fingerprint() string {
	digest := sha256.Sum256(slices.Concat(e.salt, e.hash))
	return hex.EncodeToString(digest[:16])
}

// Ends is the moment from which on the token does not work; zero is never.
func (e Entry) Ends() time.Time {
	if e.Expires.IsZero() {
		return time.Time{}
	}
	return e.Expires.AddDate(0, 0, 1)
}

// Set is the content of a token file.
type Set struct{ entries []Entry }

// Entries lists the tokens in the order of the file.
func (s Set) Entries() []Entry { return slices.Clone(s.entries) }

// Find returns the entry of a token, expired or not. It compares with every
// entry, in a time that says nothing about which one was how close.
func (s Set) Find(secret string) (Entry, bool) {
	var found Entry
	ok := false
	if len(secret) > maxLength {
		return found, ok
	}
	for _, entry := range s.entries {
		if hmac.Equal(hash(entry.salt, secret), entry.hash) {
			found, ok = entry, true
		}
	}
	return found, ok
}

// FindFingerprint returns the entry with a fingerprint, expired or not.
func (s Set) FindFingerprint(fingerprint string) (Entry, bool) {
	i := slices.IndexFunc(s.entries, func(e Entry) bool { return e.Fingerprint() == fingerprint })
	if i < 0 {
		return Entry{}, false
	}
	return s.entries[i], true
}

// header begins every file: what lacks it may be a token in plain text.
const header = "mlops-tokens 1"

// errPlain is what a file of one plain token is answered with.
var errPlain = errors.New("it does not begin with the line \"" + header + "\", so it is no file of hashed tokens. " +
	"If it holds a token in plain text, as it did for the first releases, keep the token and give it a name: " +
	"`mlopsctl token create --name ci --role apply --value-from OLD --token-file NEW`")

// Parse reads a file's content. Errors name the line, and show nothing of it.
func Parse(data []byte) (Set, error) {
	var set Set
	names := map[string]bool{}
	first := true
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if first {
			if rest, ok := strings.CutPrefix(line, "mlops-tokens "); ok && line != header {
				return Set{}, fmt.Errorf("it is of format %q, of a newer release; this one knows format 1", rest)
			} else if !ok {
				return Set{}, errPlain
			}
			first = false
			continue
		}
		entry, err := parseEntry(line)
		if err != nil {
			return Set{}, fmt.Errorf("line %d: %w", i+1, err)
		}
		if names[entry.Name] {
			return Set{}, fmt.Errorf("line %d: there are two tokens with the name %s: revoke one", i+1, entry.Name)
		}
		names[entry.Name] = true
		set.entries = append(set.entries, entry)
	}
	if first {
		return Set{}, errors.New("it is empty: `mlopsctl token create` makes a token")
	}
	return set, nil
}

func parseEntry(line string) (Entry, error) {
	fields := strings.Fields(line)
	if len(fields) != 5 {
		return Entry{}, fmt.Errorf("a token has 5 fields (name, role, created, expires, hash), this line has %d", len(fields))
	}
	entry := Entry{Name: fields[0]}
	if !validName.MatchString(entry.Name) {
		return Entry{}, errors.New("the name is not one that `mlopsctl token create` takes")
	}
	var err error
	if entry.Role, err = ParseRole(fields[1]); err != nil {
		return Entry{}, err
	}
	if entry.Created, err = ParseDay(fields[2]); err != nil {
		return Entry{}, fmt.Errorf("created: %w", err)
	}
	if fields[3] != never {
		if entry.Expires, err = ParseDay(fields[3]); err != nil {
			return Entry{}, fmt.Errorf("expires: %w, or %s for never", err, never)
		}
	}
	parts := strings.Split(fields[4], ":")
	if len(parts) != 3 || parts[0] != algorithm {
		return Entry{}, fmt.Errorf("the hash is not of the form %s:<salt>:<hash>", algorithm)
	}
	salt, saltErr := hex.DecodeString(parts[1])
	hash, hashErr := hex.DecodeString(parts[2])
	if saltErr != nil || hashErr != nil || len(salt) < saltBytes || len(hash) != sha256.Size {
		return Entry{}, fmt.Errorf("the hash is damaged: it has %d or more bytes of salt and %d of hash, in hexadecimal", saltBytes, sha256.Size)
	}
	entry.salt, entry.hash = salt, hash
	return entry, nil
}

func (e Entry) line() string {
	return fmt.Sprintf("%s  %s  %s  %s  %s:%s:%s\n", e.Name, e.Role, Day(e.Created), Day(e.Expires), algorithm, hex.EncodeToString(e.salt), hex.EncodeToString(e.hash))
}

// add appends an entry to a file's content, which may be empty.
func add(data []byte, entry Entry) ([]byte, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		data = []byte(header + "\n# name  role  created  expires  hash\n")
	}
	set, err := Parse(data)
	if err != nil {
		return nil, err
	}
	for _, known := range set.entries {
		if known.Name == entry.Name {
			return nil, fmt.Errorf("there is a token with the name %s: choose another name, or revoke that token first", entry.Name)
		}
	}
	out := slices.Clone(data)
	if !bytes.HasSuffix(out, []byte("\n")) {
		out = append(out, '\n')
	}
	return append(out, entry.line()...), nil
}

// remove takes the line of a name out of a file's content; comments stay.
func remove(data []byte, name string) ([]byte, error) {
	set, err := Parse(data)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(set.entries, func(e Entry) bool { return e.Name == name }) {
		return nil, fmt.Errorf("there is no token with the name %q", name)
	}
	var out bytes.Buffer
	for line := range bytes.Lines(data) {
		if fields := bytes.Fields(line); len(fields) == 5 && string(fields[0]) == name {
			continue
		}
		out.Write(line)
	}
	return out.Bytes(), nil
}
