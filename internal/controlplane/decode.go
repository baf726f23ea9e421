package controlplane

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

const (
	// maxNumberLength and maxExponent bound numbers to what a float64 reaches.
	// Decimal arithmetic on 1e999999999 would take minutes and gigabytes.
	maxNumberLength = 512
	maxExponent     = 400
	// maxDepth is far above what any kind nests.
	maxDepth = 64
)

// checkJSON accepts one JSON value that every reader understands alike: UTF-8,
// no member twice in an object, numbers of a sane size.
func checkJSON(data []byte) error {
	if !utf8.Valid(data) {
		return invalid("The body is not valid UTF-8.")
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	// One set of member names for each object that is open; nil for an array.
	type level struct {
		members map[string]bool
		key     bool
	}
	var open []level
	for {
		token, err := decoder.Token()
		switch {
		case errors.Is(err, io.EOF) && len(open) == 0 && decoder.InputOffset() > 0:
			return nil
		case err != nil:
			return invalid("The body is not valid JSON, at byte %d: %v.", decoder.InputOffset(), err)
		}
		top := len(open) - 1
		if name, ok := token.(string); ok && top >= 0 && open[top].key {
			if open[top].members[name] {
				return invalid("The body has the member %s twice in one object.", quote(name))
			}
			open[top].members[name] = true
			open[top].key = false
			continue
		}
		if number, ok := token.(json.Number); ok {
			if err := checkNumber(number.String()); err != nil {
				return err
			}
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			if len(open) == maxDepth {
				return invalid("The body nests deeper than %d levels.", maxDepth)
			}
			next := level{}
			if token == json.Delim('{') {
				next = level{members: map[string]bool{}, key: true}
			}
			open = append(open, next)
			continue
		case json.Delim('}'), json.Delim(']'):
			open = open[:top]
			top--
		}
		// A value has ended: in an object, a member name comes next.
		if top >= 0 && open[top].members != nil {
			open[top].key = true
		}
		if top < 0 {
			if decoder.More() {
				return invalid("The body has more than one JSON value.")
			}
		}
	}
}

func checkNumber(text string) error {
	_, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	e, err := strconv.Atoi(exponent)
	if len(text) > maxNumberLength || exponent != "" && (err != nil || e > maxExponent || e < -maxExponent) {
		return invalid("The number %.40s... is out of range: numbers have at most %d characters and an exponent up to %d.", text, maxNumberLength, maxExponent)
	}
	return nil
}

// decode reads attributes with the kind's schema and holds them against its
// constraints.
func decode(kind *spec.Kind, attributes json.RawMessage) (cty.Value, error) {
	value, err := kind.DecodeJSON(attributes)
	if err != nil {
		violation := port.Violation{Detail: err.Error()}
		if at, ok := errors.AsType[cty.PathError](err); ok {
			violation.Path, violation.Detail = spec.PathString(at.Path), at.Error()
		}
		return cty.NilVal, &port.Error{
			Code: port.CodeInvalidArgument, Err: errUnprocessable, Violations: []port.Violation{violation},
			Detail: fmt.Sprintf("The attributes do not fit the schema of %s: %s.", kind.Name, strings.TrimSuffix(violation.Detail, ".")),
		}
	}
	var violations []port.Violation
	for _, finding := range kind.Check(value) {
		if finding.Severity == spec.Error {
			violations = append(violations, port.Violation{Path: spec.PathString(finding.Path), Detail: finding.Detail, Fix: finding.Fix})
		}
	}
	if len(violations) > 0 {
		detail := violations[0].Detail
		if more := len(violations) - 1; more > 0 {
			detail += fmt.Sprintf(" (%d more in field_violations)", more)
		}
		return cty.NilVal, &port.Error{Code: port.CodeInvalidArgument, Err: errUnprocessable, Violations: violations, Detail: detail}
	}
	return value, nil
}

// errUnprocessable marks attributes that are well-formed and cannot be accepted.
var errUnprocessable = errors.New("the attributes cannot be accepted")

func invalid(format string, args ...any) *port.Error {
	return &port.Error{Code: port.CodeInvalidArgument, Detail: fmt.Sprintf(format, args...)}
}

// quote shows a name from a request: bounded, and with nothing that could
// disturb a terminal.
func quote(s string) string {
	const most = 120
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strconv.Quote(s)
}

func joinKey(kind *spec.Kind) string { return strings.Join(kind.Key, "/") }

func kindNames() string {
	var names []string
	for _, kind := range spec.All() {
		names = append(names, kind.Name)
	}
	return strings.Join(names, ", ")
}
