package source

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// plan is what `terraform show -json` says about a saved plan.
type plan struct {
	file    string
	objects []plannedObject
}

type plannedObject struct {
	object   spec.Object
	findings []spec.Finding
}

func (o *plannedObject) qualify(prefix string) {
	o.object.Address = prefix + o.object.Address
	for i := range o.findings {
		o.findings[i].Address = prefix + o.findings[i].Address
	}
}

// The parts of the format that are read; whatever else is there is ignored, as its
// promise of compatibility asks. See HashiCorp's "JSON Output Format".
type planJSON struct {
	FormatVersion   string            `json:"format_version"`
	ResourceChanges *[]resourceChange `json:"resource_changes"`
	PlannedValues   json.RawMessage   `json:"planned_values"`
	Values          json.RawMessage   `json:"values"`
	ProviderSchemas json.RawMessage   `json:"provider_schemas"`
	Configuration   struct {
		RootModule configModule `json:"root_module"`
	} `json:"configuration"`
}

type resourceChange struct {
	Address      string `json:"address"`
	Mode         string `json:"mode"`
	Type         string `json:"type"`
	ProviderName string `json:"provider_name"`
	Deposed      string `json:"deposed"`
	Change       struct {
		Actions         []string        `json:"actions"`
		Before          json.RawMessage `json:"before"`
		After           json.RawMessage `json:"after"`
		AfterUnknown    json.RawMessage `json:"after_unknown"`
		AfterSensitive  json.RawMessage `json:"after_sensitive"`
		BeforeSensitive json.RawMessage `json:"before_sensitive"`
	} `json:"change"`
}

type configModule struct {
	Resources []struct {
		Mode        string                     `json:"mode"`
		Type        string                     `json:"type"`
		Name        string                     `json:"name"`
		Expressions map[string]json.RawMessage `json:"expressions"`
	} `json:"resources"`
	ModuleCalls map[string]struct {
		Module *configModule `json:"module"`
	} `json:"module_calls"`
}

// providerName ends the name of this provider in a plan.
const providerName = "/mlops-as-code/mlops"

// parsePlan reads a plan, which it knows by its content.
func parsePlan(file string, content []byte) (*plan, []Problem) {
	refuse := func(format string, args ...any) (*plan, []Problem) {
		return nil, []Problem{{File: file, Message: fmt.Sprintf(format, args...)}}
	}
	if bytes.HasPrefix(content, []byte("PK\x03\x04")) {
		return refuse("is a saved plan: give the output of `terraform show -json` on it")
	}
	var raw planJSON
	if err := json.Unmarshal(content, &raw); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			what := fmt.Sprintf("is no *%s, *%s or *%s file, and no JSON either", specSuffix, terraformSuffix, terraformJSONSuffix)
			return nil, []Problem{jsonProblem(file, content, what, err)}
		}
		return refuse("is no plan of `terraform show -json`: %v", err)
	}
	major, _, _ := strings.Cut(raw.FormatVersion, ".")
	switch {
	case raw.FormatVersion == "":
		return refuse("is no plan of `terraform show -json`: it has no format_version")
	case major != "0" && major != "1":
		return refuse("has the format_version %s: this release reads 0.x and 1.x; use a newer one", strconv.Quote(raw.FormatVersion))
	case raw.ResourceChanges == nil && len(raw.ProviderSchemas) > 0:
		return refuse("holds the schemas of providers, not a plan: run `terraform show -json` on a saved plan")
	case raw.ResourceChanges == nil && len(raw.PlannedValues) == 0:
		return refuse("is a state, not a plan: run `terraform show -json` on a saved plan")
	case raw.ResourceChanges == nil:
		return &plan{file: file}, nil // nothing is planned, and nothing exists
	}
	p := &plan{file: file}
	var problems []Problem
	for _, change := range *raw.ResourceChanges {
		object, err := change.object()
		if err != nil {
			problems = append(problems, Problem{File: file, Message: change.Address + ": " + err.Error()})
			continue
		}
		if object != nil {
			p.objects = append(p.objects, plannedObject{object: *object})
		}
	}
	slices.SortStableFunc(p.objects, func(a, b plannedObject) int {
		return cmp.Compare(kindIndex(a.object.Kind), kindIndex(b.object.Kind))
	})
	unknown := map[string][]cty.Path{}
	raw.Configuration.RootModule.unknownAttributes("", unknown)
	p.report(unknown)
	return p, problems
}

func kindIndex(kind *spec.Kind) int { return slices.Index(spec.All(), kind) }

// object is the planned object, or nil where the change is none of ours or leaves
// nothing behind.
func (c *resourceChange) object() (*spec.Object, error) {
	ours := c.ProviderName == "" || strings.HasSuffix(c.ProviderName, providerName)
	if c.Mode != "managed" && c.Mode != "" || c.Deposed != "" || !strings.HasPrefix(c.Type, spec.TerraformPrefix) || !ours {
		return nil, nil
	}
	if isNull(c.Change.After) {
		return nil, nil // destroyed or forgotten
	}
	kind, ok := spec.ByTerraformType(c.Type)
	if !ok {
		return nil, fmt.Errorf("this release does not know %s: use the one that belongs to the provider that planned it", c.Type)
	}
	var unknown, sensitive any
	if err := unmarshal(c.Change.AfterUnknown, &unknown); err != nil {
		return nil, fmt.Errorf("after_unknown: %w", err)
	}
	if err := unmarshal(c.Change.AfterSensitive, &sensitive); err != nil {
		return nil, fmt.Errorf("after_sensitive: %w", err)
	}
	value, err := readObject(kind, c.Change.After, unknown, sensitive)
	if err != nil {
		return nil, err
	}
	object := &spec.Object{Kind: kind, Address: c.Address, Value: kind.ApplyDefaults(value), Planned: true}
	if !isNull(c.Change.Before) && !slices.Contains(c.Change.Actions, "delete") {
		// An object that is replaced begins anew.
		// What it was is an older release's, perhaps: it is no reason to refuse.
		var hidden any
		if unmarshal(c.Change.BeforeSensitive, &hidden) == nil {
			if prior, err := readObject(kind, c.Change.Before, nil, hidden); err == nil {
				object.Prior = prior
			}
		}
	}
	return object, nil
}

func isNull(raw json.RawMessage) bool {
	trimmed := bytes.TrimSpace(raw)
	return len(trimmed) == 0 || bytes.Equal(trimmed, []byte("null"))
}

func unmarshal(raw json.RawMessage, target *any) error {
	if len(raw) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(target); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return nil
}

func readObject(kind *spec.Kind, raw json.RawMessage, unknown, sensitive any) (cty.Value, error) {
	var data any
	if err := unmarshal(raw, &data); err != nil {
		return cty.NilVal, err
	}
	return fromJSON(data, kind.Type(), unknown, sensitive, nil)
}

// fromJSON reads a value of a type. Attributes that the type lacks are ignored, ones
// that are absent are null; unknown and sensitive are the plan's parallel structures
// in which true marks a value, and what is marked is unknown here: a finding would
// print it.
func fromJSON(data any, ty cty.Type, unknown, sensitive any, path cty.Path) (cty.Value, error) {
	if unknown == true || sensitive == true {
		return cty.UnknownVal(ty), nil
	}
	if data == nil && unknown == nil {
		return cty.NullVal(ty), nil
	}
	mismatch := func() (cty.Value, error) {
		return cty.NilVal, fmt.Errorf("%s is not %s, as this release has it: use the one that belongs to the provider that planned it", spec.PathString(path), ty.FriendlyName())
	}
	switch {
	case ty.IsObjectType():
		object, ok := data.(map[string]any)
		if !ok && data != nil {
			return mismatch()
		}
		if data == nil && !anyTrue(unknown) {
			return cty.NullVal(ty), nil
		}
		attributes := map[string]cty.Value{}
		for name, attribute := range ty.AttributeTypes() {
			value, err := fromJSON(object[name], attribute, child(unknown, name), child(sensitive, name), extend(path, cty.GetAttrStep{Name: name}))
			if err != nil {
				return cty.NilVal, err
			}
			attributes[name] = value
		}
		return cty.ObjectVal(attributes), nil
	case ty.IsListType():
		list, ok := data.([]any)
		if data == nil {
			return cty.NullVal(ty), nil
		}
		if !ok {
			return mismatch()
		}
		if len(list) == 0 {
			return cty.ListValEmpty(ty.ElementType()), nil
		}
		elements := make([]cty.Value, len(list))
		for i, element := range list {
			value, err := fromJSON(element, ty.ElementType(), at(unknown, i), at(sensitive, i), extend(path, cty.IndexStep{Key: cty.NumberIntVal(int64(i))}))
			if err != nil {
				return cty.NilVal, err
			}
			elements[i] = value
		}
		return cty.ListVal(elements), nil
	case ty.IsMapType():
		object, ok := data.(map[string]any)
		if data == nil {
			return cty.NullVal(ty), nil
		}
		if !ok {
			return mismatch()
		}
		elements := map[string]cty.Value{}
		for key, element := range object {
			value, err := fromJSON(element, ty.ElementType(), child(unknown, key), child(sensitive, key), extend(path, cty.IndexStep{Key: cty.StringVal(key)}))
			if err != nil {
				return cty.NilVal, err
			}
			elements[key] = value
		}
		// An unknown element is absent from the values.
		for key := range keysOf(unknown) {
			if _, ok := elements[key]; !ok && child(unknown, key) == true {
				elements[key] = cty.UnknownVal(ty.ElementType())
			}
		}
		if len(elements) == 0 {
			return cty.MapValEmpty(ty.ElementType()), nil
		}
		return cty.MapVal(elements), nil
	}
	switch v := data.(type) {
	case nil:
		return cty.NullVal(ty), nil
	case string:
		if ty == cty.String {
			return cty.StringVal(v), nil
		}
	case bool:
		if ty == cty.Bool {
			return cty.BoolVal(v), nil
		}
	case json.Number:
		if ty == cty.Number && len(v) < 1000 && !hugeExponent.MatchString(v.String()) {
			number, err := cty.ParseNumberVal(v.String())
			if err == nil {
				return number, nil
			}
		}
	}
	return mismatch()
}

// hugeExponent matches numbers that would take all memory when written out.
var hugeExponent = regexp.MustCompile(`[eE][-+]?0*[1-9][0-9]{3,}$`)

func child(v any, name string) any { return keysOf(v)[name] }

func keysOf(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func at(v any, i int) any {
	list, ok := v.([]any)
	if !ok || i >= len(list) {
		return nil
	}
	return list[i]
}

func anyTrue(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case map[string]any:
		for _, element := range v {
			if anyTrue(element) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, anyTrue)
	}
	return false
}

// unknownAttributes finds the keys that the vocabulary lacks in the configuration that
// the plan was made from: they are gone from its values. An expression is kept there
// only where all of it is constant, so nothing that comes by reference is seen.
func (m *configModule) unknownAttributes(prefix string, out map[string][]cty.Path) {
	for _, resource := range m.Resources {
		kind, ok := spec.ByTerraformType(resource.Type)
		if !ok || resource.Mode != "managed" && resource.Mode != "" {
			continue
		}
		attributes := map[string]cty.Value{}
		for name, raw := range resource.Expressions {
			attributes[name] = constant(raw)
		}
		address := prefix + resource.Type + "." + resource.Name
		out[address] = append(out[address], kind.UnknownAttributes(cty.ObjectVal(attributes))...)
	}
	for name, call := range m.ModuleCalls {
		if call.Module != nil {
			call.Module.unknownAttributes(prefix+"module."+name+".", out)
		}
	}
}

// constant is the value of an expression in a plan's configuration, or unknown.
func constant(raw json.RawMessage) cty.Value {
	var expression struct {
		Constant json.RawMessage `json:"constant_value"`
	}
	if json.Unmarshal(raw, &expression) != nil || isNull(expression.Constant) {
		return cty.DynamicVal
	}
	ty, err := ctyjson.ImpliedType(expression.Constant)
	if err != nil {
		return cty.DynamicVal
	}
	value, err := ctyjson.Unmarshal(expression.Constant, ty)
	if err != nil {
		return cty.DynamicVal
	}
	return value
}

var instanceKey = regexp.MustCompile(`\[(?:[0-9]+|"(?:[^"\\]|\\.)*")\]`)

// report gives each unknown attribute to its block, once however many objects the block
// makes.
func (p *plan) report(unknown map[string][]cty.Path) {
	reported := map[string]bool{}
	for i := range p.objects {
		o := &p.objects[i]
		block := instanceKey.ReplaceAllString(o.object.Address, "")
		if reported[block] {
			continue
		}
		reported[block] = true
		for _, path := range unknown[block] {
			o.findings = append(o.findings, unknownAttribute(o.object.Kind, block, path))
		}
		slices.SortFunc(o.findings, byPath)
	}
}

// jsonProblem tells about broken JSON, with its place.
func jsonProblem(file string, content []byte, what string, err error) Problem {
	p := Problem{File: file, Message: what + ": " + err.Error()}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		before := content[:min(max(syntax.Offset-1, 0), int64(len(content)))]
		p.Line = bytes.Count(before, []byte("\n")) + 1
		p.Column = utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	}
	return p
}
