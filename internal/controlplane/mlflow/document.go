package mlflow

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/evaluate"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// What the control plane keeps in MLflow lies in tags: of the registered model, of
// the version, and for an alias, which has none, of its model. MLflow's API sets one
// tag at a time, so that one tag alone decides what is true: it has the attributes,
// or names the parts that have them, KEY.<digest>.<number>.
const (
	attributesTag = "mlops.attributes"
	// aliasTag begins the tag of an alias's document; an alias has no dots.
	aliasTag = "mlops.alias."
	// requestTag of a version holds the idempotency key that it was added with, until
	// that is acknowledged.
	requestTag = "mlops.request"
	// partRunes keeps every tag value below the 5000 characters that MLflow's
	// database column has where the database enforces it.
	partRunes = 4000
	// maxParts bounds a document to what a model's page still shows.
	maxParts = 32
	// promptTag marks a registered model that is in truth a prompt.
	promptTag = "mlflow.prompt.is_prompt"
)

// registeredModel is MLflow's own.
type registeredModel struct {
	Name        string            `json:"name"`
	Created     int64             `json:"creation_timestamp"` // ms
	LastUpdated int64             `json:"last_updated_timestamp"`
	Description string            `json:"description"`
	Tags        tags              `json:"tags"`
	Latest      []json.RawMessage `json:"latest_versions"`
	Aliases     []alias           `json:"aliases"`
}

// modelVersion is MLflow's own.
type modelVersion struct {
	Name        string      `json:"name"`
	Version     json.Number `json:"version"`
	Created     int64       `json:"creation_timestamp"` // ms
	LastUpdated int64       `json:"last_updated_timestamp"`
	Description string      `json:"description"`
	Source      string      `json:"source"`
	RunID       string      `json:"run_id"`
	Tags        tags        `json:"tags"`
}

// alias is MLflow's own: all that it knows of one.
type alias struct {
	Alias   string      `json:"alias"`
	Version json.Number `json:"version"`
}

type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type tags []tag

func (t tags) byKey() map[string]string {
	out := make(map[string]string, len(t))
	for _, one := range t {
		out[one.Key] = one.Value
	}
	return out
}

// envelope is the value of the tag that decides.
type envelope struct {
	Generation int64           `json:"generation"`
	Attributes json.RawMessage `json:"attributes,omitempty"`
	// Parts and Digest stand for attributes that are too long for one tag.
	Parts  int    `json:"parts,omitempty"`
	Digest string `json:"digest,omitempty"`
	// UID, Created and Updated (ms) are an alias's, which in MLflow has none.
	UID     string `json:"uid,omitempty"`
	Created int64  `json:"created,omitempty"`
	Updated int64  `json:"updated,omitempty"`
}

// declared is the part of the attributes that MLflow itself has, too.
type declared struct {
	Description *string           `json:"description"`
	Tags        map[string]string `json:"tags"`
}

func (d declared) description() string {
	if d.Description == nil {
		return ""
	}
	return *d.Description
}

// pack makes the tags that hold a document under a key, the deciding one last.
func pack(key string, e envelope) ([]tag, error) {
	whole, err := marshal(e)
	if err != nil {
		return nil, err
	}
	if len([]rune(whole)) <= partRunes {
		return []tag{{key, whole}}, nil
	}
	attributes := e.Attributes
	sum := sha256.Sum256(attributes)
	digest := hex.EncodeToString(sum[:])
	var out []tag
	for runes := []rune(string(attributes)); len(runes) > 0; {
		n := min(len(runes), partRunes)
		out = append(out, tag{partKey(key, digest, len(out)), string(runes[:n])})
		runes = runes[n:]
	}
	if len(out) > maxParts {
		return nil, &port.Error{
			Code:       port.CodeInvalidArgument,
			Detail:     fmt.Sprintf("the attributes take %d characters, more than the %d that are kept in MLflow. Shorten the tags or the description.", len([]rune(string(attributes))), maxParts*partRunes),
			Violations: []port.Violation{{Path: "tags", Detail: "the attributes are too long for MLflow", Fix: "Declare fewer or shorter tags."}},
		}
	}
	e.Attributes, e.Parts, e.Digest = nil, len(out), digest
	pointer, err := marshal(e)
	if err != nil {
		return nil, err
	}
	return append(out, tag{key, pointer}), nil
}

func partKey(key, digest string, i int) string {
	return key + "." + digest[:16] + "." + strconv.Itoa(i)
}

// unpack finds the document that tags hold under a key. It is false where there is
// none, or where somebody has changed it by hand so that it is none any more.
func unpack(key string, tags map[string]string) (envelope, bool) {
	var e envelope
	if json.Unmarshal([]byte(tags[key]), &e) != nil {
		return envelope{}, false
	}
	if e.Parts > 0 && e.Parts <= maxParts && len(e.Digest) == 2*sha256.Size {
		var whole strings.Builder
		for i := range e.Parts {
			whole.WriteString(tags[partKey(key, e.Digest, i)])
		}
		e.Attributes = json.RawMessage(whole.String())
		if sum := sha256.Sum256(e.Attributes); hex.EncodeToString(sum[:]) != e.Digest {
			return envelope{}, false
		}
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(e.Attributes, &members) != nil || members == nil || e.Generation < 1 {
		return envelope{}, false
	}
	return e, true
}

// facts are what MLflow itself says of an object.
type facts struct {
	// own are attributes as MLflow has them: texts, where "" is null, or whole
	// numbers.
	own map[string]any
	// tags are all tags that stand on the object; nil where it can have none.
	tags map[string]string
}

// read is an object as it is in MLflow now: the kept attributes, with what MLflow
// really has in the place of what it has otherwise. Where nothing was changed behind
// the control plane's back, these are the bytes that were written. Tags that others
// have set do not appear. Without a kept document, it is what somebody else made.
func (f facts) read(kind string, e envelope, managed bool) (json.RawMessage, error) {
	if managed {
		return f.overlay(e.Attributes), nil
	}
	return f.foreign(kind)
}

// object reads a registered model.
func (m *registeredModel) object() (port.Object, error) {
	have := m.Tags.byKey()
	if have[promptTag] == "true" {
		return port.Object{}, isPrompt(m.Name)
	}
	e, managed := unpack(attributesTag, have)
	attributes, err := facts{own: map[string]any{"name": m.Name, "description": m.Description}, tags: have}.read(port.RegisteredModel, e, managed)
	o := port.Object{
		Ref: port.Ref{Kind: port.RegisteredModel, ID: m.Name}, UID: uid(m.Created, m.Name), Generation: e.Generation, Attributes: attributes,
		CreatedAt: time.UnixMilli(m.Created).UTC(), UpdatedAt: time.UnixMilli(m.LastUpdated).UTC(),
	}
	o.ETag = etag(o)
	return o, err
}

func isPrompt(name string) error {
	return &port.Error{
		Code:   port.CodeFailedPrecondition,
		Detail: fmt.Sprintf("%q is a prompt in MLflow, where prompts and models share their names. Choose another name.", name),
	}
}

// object reads a version. Its source and run are MLflow's: a copy of a version takes
// the tags along.
func (v *modelVersion) object() (port.Object, error) {
	have := v.Tags.byKey()
	e, managed := unpack(attributesTag, have)
	own := map[string]any{"model": v.Name, "source": v.Source, "run_id": v.RunID, "description": v.Description}
	attributes, err := facts{own: own, tags: have}.read(port.ModelVersion, e, managed)
	id := v.Name + "/" + v.Version.String()
	o := port.Object{
		Ref: port.Ref{Kind: port.ModelVersion, ID: id}, UID: uid(v.Created, id), Generation: e.Generation, Attributes: attributes,
		CreatedAt: time.UnixMilli(v.Created).UTC(), UpdatedAt: time.UnixMilli(v.LastUpdated).UTC(),
	}
	o.ETag = etag(o)
	return o, err
}

// aliasObject reads an alias of a model: where it points is MLflow's to say.
func (m *registeredModel) aliasObject(a alias) (port.Object, error) {
	version, err := a.Version.Int64()
	if err != nil || version < 1 {
		return port.Object{}, &port.Error{Code: port.CodeRegistryError, Err: err, Detail: fmt.Sprintf("MLflow: the alias %q of %q is at the version %q, which is no number of one. Is the tracking URI right?", shorten(a.Alias), shorten(m.Name), a.Version)}
	}
	e, managed := unpack(aliasTag+a.Alias, m.Tags.byKey())
	id := m.Name + "/" + a.Alias
	if !managed {
		e = envelope{UID: uid(m.Created, id), Created: m.Created, Updated: m.LastUpdated}
	}
	attributes, err := facts{own: map[string]any{"model": m.Name, "alias": a.Alias, "version": version}}.read(port.ModelAlias, e, managed)
	o := port.Object{
		Ref: port.Ref{Kind: port.ModelAlias, ID: id}, UID: e.UID, Generation: e.Generation, Attributes: attributes,
		CreatedAt: time.UnixMilli(e.Created).UTC(), UpdatedAt: time.UnixMilli(e.Updated).UTC(),
	}
	o.ETag = etag(o)
	return o, err
}

// overlay replaces what MLflow has otherwise than the document says.
func (f facts) overlay(attributes json.RawMessage) json.RawMessage {
	var want declared
	var members map[string]json.RawMessage
	if json.Unmarshal(attributes, &members) != nil || f.tags != nil && json.Unmarshal(attributes, &want) != nil {
		return attributes // not ours to understand: shown as it is, and refused by the schema
	}
	changed := false
	set := func(name string, value any) {
		if text, err := marshal(value); err == nil {
			members[name], changed = json.RawMessage(text), true
		}
	}
	for name, value := range f.own {
		switch is := value.(type) {
		case string:
			var kept *string
			_ = json.Unmarshal(members[name], &kept) // what is no text is not what MLflow has
			switch {
			case is == "" && kept != nil && *kept != "":
				set(name, nil)
			case is != "" && (kept == nil || *kept != is):
				set(name, is)
			}
		case int64:
			var kept float64
			if json.Unmarshal(members[name], &kept) != nil || kept != float64(is) {
				set(name, is)
			}
		}
	}
	have := make(map[string]string, len(want.Tags))
	same := true
	for key, value := range want.Tags {
		current, ok := f.tags[key]
		if ok {
			have[key] = current
		}
		same = same && ok && current == value
	}
	if !same {
		set("tags", have)
	}
	if !changed {
		return attributes
	}
	text, err := marshal(members)
	if err != nil {
		return attributes
	}
	return json.RawMessage(text)
}

// foreign is an object that somebody else made: what can be read of it, with defaults
// and figures for the rest, so that it can be imported. None of its tags are ours.
func (f facts) foreign(name string) (json.RawMessage, error) {
	kind, ok := spec.ByName(name)
	if !ok {
		return nil, fmt.Errorf("the vocabulary has no %s", name)
	}
	known := map[string]any{}
	for attribute, value := range f.own {
		if value != "" {
			known[attribute] = value
		}
	}
	text, err := marshal(known)
	if err != nil {
		return nil, err
	}
	value, err := kind.DecodeJSON([]byte(text))
	if err != nil {
		return nil, err
	}
	value = kind.ApplyDefaults(value)
	if len(kind.Check(value)) == 0 { // else no evaluation exists of it
		report, err := evaluate.Object(kind, value, evaluate.Inputs{})
		if err != nil {
			return nil, err
		}
		value = spec.Overlay(value, report.Computed)
	}
	return kind.EncodeJSON(value)
}

// uid stands for MLflow's missing one: an object that is made again has another
// moment of creation.
func uid(created int64, id string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "mlflow:%d:%s", created, id)).String()
}

// etag is a digest of everything the control plane answers for. MLflow's
// last_updated_timestamp has no part in it: registering a version moves it,
// which is no change of ours, and setting a tag does not, which is one.
func etag(o port.Object) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%s", o.UID, o.Generation, o.Attributes))
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// marshal writes JSON without escaping for HTML: documents are kept as they are.
func marshal(v any) (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return "", fmt.Errorf("writing JSON for MLflow: %w", err)
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}
