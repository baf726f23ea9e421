package controlplane

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// by is the context of a request that writes, with who says to have sent it. It is
// for people who read a history; what may be done, the token decides.
//
// Where there are tokens, it is the token's name: that, nobody can make up.
func by(r *http.Request) context.Context {
	if name := port.CallerOf(r.Context()).Name; name != "" {
		return port.WithActor(r.Context(), name)
	}
	who := strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == utf8.RuneError {
			return -1
		}
		return c
	}, r.Header.Get("Mlops-Actor"))
	return port.WithActor(r.Context(), strings.ToValidUTF8(who[:min(len(who), maxActorLength)], ""))
}

// readAttributes reads the body of a write: an object's attributes, as compact JSON.
func readAttributes(w http.ResponseWriter, r *http.Request) (json.RawMessage, error) {
	members, err := readBody(w, r, "attributes")
	if err != nil {
		return nil, err
	}
	var attributes bytes.Buffer
	if err := json.Compact(&attributes, members["attributes"]); err != nil || !bytes.HasPrefix(attributes.Bytes(), []byte("{")) {
		return nil, invalid(`"attributes" must be an object.`)
	}
	return attributes.Bytes(), nil
}

// readRefs reads a list of references. encoding/json alone would take null for
// one, and "KIND" for "kind".
func readRefs(data json.RawMessage) ([]port.Ref, error) {
	const form = `"refs" must be a list of {"kind": "...", "id": "..."}`
	var list []map[string]any
	if err := json.Unmarshal(data, &list); err != nil || list == nil {
		return nil, invalid(form + ".")
	}
	refs := make([]port.Ref, len(list))
	for i, members := range list {
		kind, hasKind := members["kind"].(string)
		id, hasID := members["id"].(string)
		if !hasKind || !hasID || len(members) != 2 {
			return nil, invalid(form+": the element %d is something else.", i)
		}
		refs[i] = port.Ref{Kind: kind, ID: id}
	}
	return refs, nil
}

// readBody reads a JSON object with exactly one member of the given name.
func readBody(w http.ResponseWriter, r *http.Request, member string) (map[string]json.RawMessage, error) {
	members, err := readObject(w, r)
	if err != nil {
		return nil, err
	}
	if members == nil {
		return nil, invalid("The body must be an object with the member %q.", member)
	}
	for name := range members {
		if name != member {
			return nil, invalid("The body has a member %s; it has only %q. Everything else is the server's to say.", quote(name), member)
		}
	}
	if _, ok := members[member]; !ok {
		return nil, invalid("The body must be an object with the member %q.", member)
	}
	return members, nil
}

// readObject reads the body; nil is JSON that is no object.
func readObject(w http.ResponseWriter, r *http.Request) (map[string]json.RawMessage, error) {
	if given := r.Header.Get("Content-Type"); given != "" {
		if media, _, err := mime.ParseMediaType(given); err != nil || media != mediaJSON {
			return nil, &port.Error{Code: codeUnsupportedMediaType, Detail: fmt.Sprintf("The body must be %s, not %s.", mediaJSON, quote(given))}
		}
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBodyBytes))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &port.Error{Code: codePayloadTooLarge, Detail: fmt.Sprintf("The body is larger than %d bytes.", MaxBodyBytes)}
	}
	if err != nil {
		return nil, invalid("The body ended early.")
	}
	if err := checkJSON(data); err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil {
		return nil, nil
	}
	return members, nil
}

// parameters returns the query, and refuses names that the route does not know:
// a misspelt parameter must not pass for its absence.
func parameters(r *http.Request, known ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid("The query string is malformed.")
	}
	for name, values := range query {
		if !slices.Contains(known, name) {
			return nil, invalid("There is no query parameter %s here.", quote(name))
		}
		if len(values) > 1 {
			return nil, invalid("The query parameter %s is there %d times.", quote(name), len(values))
		}
	}
	return query, nil
}

func pageSize(query url.Values) (int, error) {
	size, err := wholeNumber(query, "page_size", defaultPageSize, fmt.Sprintf("from 1 to %d: the most to answer with", port.MaxPageSize))
	if err == nil && size == 0 {
		err = invalid("page_size is a whole number from 1 to %d, not 0.", port.MaxPageSize)
	}
	return int(min(size, port.MaxPageSize)), err
}

// precondition reads If-Match and If-None-Match. One of them is required: a
// write that does not say what it replaces would undo other people's.
func precondition(r *http.Request, creates bool) (port.Precondition, error) {
	match, noneMatch := strings.Join(r.Header.Values("If-Match"), ","), strings.Join(r.Header.Values("If-None-Match"), ",")
	switch {
	case match != "" && noneMatch != "":
		return port.Precondition{}, invalid("If-Match and If-None-Match exclude each other.")
	case noneMatch != "" && !creates:
		return port.Precondition{}, invalid("If-None-Match makes no sense here. Send If-Match with the ETag of the object.")
	case noneMatch != "" && strings.TrimSpace(noneMatch) != "*":
		return port.Precondition{}, invalid("If-None-Match can only be *, which creates.")
	case noneMatch != "":
		return port.IfAbsent(), nil
	case strings.TrimSpace(match) == "*":
		return port.IfPresent(), nil
	case match != "":
		tags, err := entityTags("If-Match", match, false)
		if err != nil {
			return port.Precondition{}, err
		}
		return port.IfMatch(tags...), nil
	case creates:
		return port.Precondition{}, &port.Error{Code: port.CodePreconditionRequired, Detail: "Send If-None-Match: * to create the object, or If-Match with its ETag to replace the revision that you have read."}
	}
	return port.Precondition{}, &port.Error{Code: port.CodePreconditionRequired, Detail: "Send If-Match with the ETag of the revision that you have read."}
}

// knows reports whether the reader has this revision already, by If-None-Match.
func knows(r *http.Request, etag string) (bool, error) {
	given := strings.TrimSpace(strings.Join(r.Header.Values("If-None-Match"), ","))
	if given == "*" {
		return true, nil
	}
	tags, err := entityTags("If-None-Match", given, true)
	return slices.Contains(tags, etag), err
}

// entityTags splits a list of entity tags. A read compares weakly, and takes weak
// tags for what they are about; they never match a write (RFC 9110, section 13.1).
func entityTags(header, list string, takeWeak bool) ([]string, error) {
	var tags []string
	for rest := strings.Trim(list, " \t,"); rest != ""; {
		strong, weak := strings.CutPrefix(rest, "W/")
		if !strings.HasPrefix(strong, `"`) {
			return nil, invalid("%s must be * or entity tags in double quotes, not %s.", header, quote(list))
		}
		end := strings.IndexByte(strong[1:], '"')
		if end < 0 {
			return nil, invalid("%s has an entity tag without its closing quote: %s.", header, quote(list))
		}
		if !weak || takeWeak {
			tags = append(tags, strong[:end+2])
		}
		after := strings.TrimLeft(strong[end+2:], " \t")
		rest = strings.TrimLeft(after, " \t,")
		if rest != "" && after == rest {
			return nil, invalid("%s has entity tags without a comma between them: %s.", header, quote(list))
		}
	}
	return tags, nil
}
