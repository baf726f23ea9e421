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
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// What the control plane keeps in MLflow lies in tags of the registered model.
// MLflow's API sets one tag at a time, so the tag attributesTag alone decides
// what is true: it has the attributes, or names the parts that have them.
const (
	attributesTag = "mlops.attributes"
	// partPrefix begins the tags that hold the pieces of a long document:
	// mlops.attributes.<digest>.<number>.
	partPrefix = attributesTag + "."
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
	Tags        []tag             `json:"tags"`
	Latest      []json.RawMessage `json:"latest_versions"`
}

type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func (m *registeredModel) tags() map[string]string {
	out := make(map[string]string, len(m.Tags))
	for _, t := range m.Tags {
		out[t.Key] = t.Value
	}
	return out
}

// envelope is the value of attributesTag.
type envelope struct {
	Generation int64           `json:"generation"`
	Attributes json.RawMessage `json:"attributes,omitempty"`
	// Parts and Digest stand for attributes that are too long for one tag.
	Parts  int    `json:"parts,omitempty"`
	Digest string `json:"digest,omitempty"`
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

// pack makes the tags that hold a document, the deciding one last.
func pack(attributes json.RawMessage, generation int64) ([]tag, error) {
	whole, err := marshal(envelope{Generation: generation, Attributes: attributes})
	if err != nil {
		return nil, err
	}
	if len([]rune(whole)) <= partRunes {
		return []tag{{attributesTag, whole}}, nil
	}
	sum := sha256.Sum256(attributes)
	digest := hex.EncodeToString(sum[:])
	var tags []tag
	for runes := []rune(string(attributes)); len(runes) > 0; {
		n := min(len(runes), partRunes)
		tags = append(tags, tag{partKey(digest, len(tags)), string(runes[:n])})
		runes = runes[n:]
	}
	if len(tags) > maxParts {
		return nil, &port.Error{
			Code:       port.CodeInvalidArgument,
			Detail:     fmt.Sprintf("the model's attributes take %d characters, more than the %d that are kept in MLflow. Shorten the tags or the description.", len([]rune(string(attributes))), maxParts*partRunes),
			Violations: []port.Violation{{Path: "tags", Detail: "the attributes are too long for MLflow", Fix: "Declare fewer or shorter tags."}},
		}
	}
	pointer, err := marshal(envelope{Generation: generation, Parts: len(tags), Digest: digest})
	if err != nil {
		return nil, err
	}
	return append(tags, tag{attributesTag, pointer}), nil
}

func partKey(digest string, i int) string { return partPrefix + digest[:16] + "." + strconv.Itoa(i) }

// unpack finds the document that tags hold. It is false where there is none, or
// where somebody has changed it by hand so that it is none any more.
func unpack(tags map[string]string) (envelope, bool) {
	var e envelope
	if json.Unmarshal([]byte(tags[attributesTag]), &e) != nil {
		return envelope{}, false
	}
	if e.Parts > 0 && e.Parts <= maxParts && len(e.Digest) == 2*sha256.Size {
		var whole strings.Builder
		for i := range e.Parts {
			whole.WriteString(tags[partKey(e.Digest, i)])
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

// object reads a registered model as it is in MLflow now: the kept attributes,
// with the description and the managed tags that MLflow really has. Where
// nothing was changed behind the control plane's back, these are the bytes that
// were written. Tags that others have set do not appear.
func object(m *registeredModel) (port.Object, error) {
	tags := m.tags()
	ref := port.Ref{Kind: port.RegisteredModel, ID: m.Name}
	if tags[promptTag] == "true" {
		return port.Object{}, &port.Error{
			Code:   port.CodeFailedPrecondition,
			Detail: fmt.Sprintf("%q is a prompt in MLflow, where prompts and models share their names. Choose another name.", m.Name),
		}
	}
	e, managed := unpack(tags)
	if !managed {
		e = envelope{}
		var err error
		if e.Attributes, err = foreign(m); err != nil {
			return port.Object{}, err
		}
	} else {
		e.Attributes = overlay(e.Attributes, m, tags)
	}
	o := port.Object{
		Ref: ref, UID: uid(m), Generation: e.Generation, Attributes: e.Attributes,
		CreatedAt: time.UnixMilli(m.Created).UTC(), UpdatedAt: time.UnixMilli(m.LastUpdated).UTC(),
	}
	o.ETag = etag(o)
	return o, nil
}

// overlay replaces what MLflow has otherwise than the document says.
func overlay(attributes json.RawMessage, m *registeredModel, tags map[string]string) json.RawMessage {
	var want declared
	if json.Unmarshal(attributes, &want) != nil {
		return attributes // not ours to understand: shown as it is, and refused by the schema
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(attributes, &members) != nil {
		return attributes
	}
	changed := false
	set := func(name string, value any) {
		if text, err := marshal(value); err == nil {
			members[name], changed = json.RawMessage(text), true
		}
	}
	var name string
	if json.Unmarshal(members["name"], &name) != nil || name != m.Name {
		set("name", m.Name) // renamed in MLflow
	}
	if want.description() != m.Description {
		if m.Description == "" {
			set("description", nil)
		} else {
			set("description", m.Description)
		}
	}
	have := make(map[string]string, len(want.Tags))
	same := true
	for key, value := range want.Tags {
		current, ok := tags[key]
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

// foreign is a model that somebody else made: what can be read of it, with
// defaults for the rest, so that it can be imported. None of its tags are ours.
func foreign(m *registeredModel) (json.RawMessage, error) {
	kind, ok := spec.ByName(port.RegisteredModel)
	if !ok {
		return nil, fmt.Errorf("the vocabulary has no %s", port.RegisteredModel)
	}
	known := map[string]string{"name": m.Name}
	if m.Description != "" {
		known["description"] = m.Description
	}
	text, err := marshal(known)
	if err != nil {
		return nil, err
	}
	value, err := kind.DecodeJSON([]byte(text))
	if err != nil {
		return nil, err
	}
	return kind.EncodeJSON(kind.ApplyDefaults(value))
}

// uid stands for MLflow's missing one: a model that is made again has another
// moment of creation.
func uid(m *registeredModel) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "mlflow:%d:%s", m.Created, m.Name)).String()
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
