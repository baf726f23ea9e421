package spec

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// TerraformPrefix stands before a kind's name in Terraform's resource types.
const TerraformPrefix = "mlops_"

// Kind is one kind of object that a policy declares.
type Kind struct {
	// Name is the kind's name in spec files: drift_monitor.
	Name string
	// Family is the provider package and the documentation chapter.
	Family string
	// Key names the attributes whose values, joined by slashes, identify an
	// object. Changing one replaces the object.
	Key []string
	// Numbered is the last of Key where the control plane decides it: a number from
	// 1 on that it gives when it creates the object, and never gives again. Empty
	// where the policy names its objects.
	Numbered string
	// Immutable names what no update changes, beside the key: a change replaces the
	// object.
	Immutable []string
	// Schema is the kind as Terraform sees it, computed attributes included.
	Schema schema.Schema
	// Constraints hold for attributes, by path: "stages[].traffic_percent".
	Constraints map[string][]Constraint
	// Together holds for the object as a whole, once each attribute is valid.
	Together func(v cty.Value) []Finding
	// Fields is the zero value of the Go struct that Decode fills.
	Fields any
	// Upgrades lead from the first version of the schema to the present one, a step a
	// version. A new attribute needs none: it is null in states that lack it. See
	// [Kind.SchemaVersion].
	Upgrades []Upgrade

	once sync.Once
	ty   cty.Type
}

// Computed attributes that the control plane, not the policy, decides.
const (
	// AttributeID is the name path.
	AttributeID = "id"
	// AttributeUID changes when somebody deletes and re-creates the object.
	AttributeUID = "uid"
	// AttributeEvaluation holds the figures.
	AttributeEvaluation = "evaluation"
	// AttributeWaivers lists the findings that the team has accepted.
	AttributeWaivers = "waivers"
)

var kinds = []*Kind{registeredModel, modelVersion, modelAlias, baseline, driftMonitor, performanceMonitor, serviceMonitor, notificationChannel, alertThreshold, rolloutPolicy}

func init() {
	for _, k := range kinds {
		k.Schema.Attributes = documentConstraints(k.Schema.Attributes, "", k.Constraints)
	}
}

// All returns every kind, each before the kinds that refer to it.
func All() []*Kind { return kinds }

// ByName finds a kind by its name in spec files.
func ByName(name string) (*Kind, bool) {
	for _, k := range kinds {
		if k.Name == name {
			return k, true
		}
	}
	return nil, false
}

// ByTerraformType finds a kind by its Terraform resource type, mlops_baseline.
func ByTerraformType(name string) (*Kind, bool) {
	short, ok := strings.CutPrefix(name, TerraformPrefix)
	if !ok {
		return nil, false
	}
	return ByName(short)
}

// TerraformType is the resource type: mlops_drift_monitor.
func (k *Kind) TerraformType() string { return TerraformPrefix + k.Name }

// Type is the cty object type of the whole schema, made from the schema itself.
func (k *Kind) Type() cty.Type {
	k.once.Do(func() {
		raw, err := k.Schema.Type().TerraformType(context.Background()).MarshalJSON() //nolint:staticcheck // the one way from a framework type to cty
		if err == nil {
			k.ty, err = ctyjson.UnmarshalType(raw)
		}
		if err != nil {
			panic(fmt.Sprintf("schema of %s has no cty type: %v", k.Name, err))
		}
	})
	return k.ty
}

// ID is the name path of an object, for instance fraud_detector/score. It is
// false while a part of it is null or unknown.
func (k *Kind) ID(v cty.Value) (string, bool) { return k.path(v, k.Key) }

func (k *Kind) path(v cty.Value, key []string) (string, bool) {
	parts := make([]string, len(key))
	for i, name := range key {
		part := v.GetAttr(name)
		switch {
		case !part.IsKnown() || part.IsNull():
			return "", false
		case name == k.Numbered:
			parts[i] = NumberString(part)
		default:
			parts[i] = part.AsString()
		}
	}
	return strings.Join(parts, "/"), true
}

// Parent is the name path without the number that the control plane gives, as a
// new object is addressed: the model of a version. It is false while a part is
// null or unknown.
func (k *Kind) Parent(v cty.Value) (string, bool) {
	if k.Numbered == "" {
		return "", false
	}
	return k.path(v, k.Key[:len(k.Key)-1])
}

// ParseID splits a name path into the values of the key attributes.
func (k *Kind) ParseID(id string) (map[string]cty.Value, error) {
	parts := strings.Split(id, "/")
	out := make(map[string]cty.Value, len(parts))
	if len(parts) != len(k.Key) {
		return nil, fmt.Errorf("%q does not identify a %s: write %s", id, k.Name, strings.Join(k.Key, "/"))
	}
	for i, name := range k.Key {
		switch {
		case parts[i] == "":
			return nil, fmt.Errorf("%q does not identify a %s: %s is empty; write %s", id, k.Name, name, strings.Join(k.Key, "/"))
		case name == k.Numbered:
			number, err := strconv.ParseInt(parts[i], 10, 32)
			if err != nil || number < 1 || strconv.FormatInt(number, 10) != parts[i] {
				return nil, fmt.Errorf("%q does not identify a %s: %s is a number from 1 on; write %s", id, k.Name, name, strings.Join(k.Key, "/"))
			}
			out[name] = cty.NumberIntVal(number)
		default:
			out[name] = cty.StringVal(parts[i])
		}
	}
	return out, nil
}

// Given is what the control plane decides about an object when it creates it: its
// name path, uid and, where it has one, its number.
func (k *Kind) Given(id, uid string) (map[string]cty.Value, error) {
	out := map[string]cty.Value{AttributeID: cty.StringVal(id), AttributeUID: cty.StringVal(uid)}
	if k.Numbered != "" {
		key, err := k.ParseID(id)
		if err != nil {
			return nil, err
		}
		out[k.Numbered] = key[k.Numbered]
	}
	return out, nil
}

// given names the attributes that Given gives.
func (k *Kind) given() []string {
	out := []string{AttributeID, AttributeUID}
	if k.Numbered != "" {
		out = append(out, k.Numbered)
	}
	return out
}

// IsComputed reports whether an attribute is computed rather than declared.
func (k *Kind) IsComputed(attribute string) bool {
	a, ok := k.Schema.Attributes[attribute]
	return ok && a.IsComputed() && !a.IsOptional()
}

// ComputedAttributes names the attributes that the evaluator fills in at plan:
// all computed ones but what the control plane gives: id, uid and number.
func (k *Kind) ComputedAttributes() []string {
	var out []string
	for _, name := range sortedKeys(k.Schema.Attributes) {
		if k.IsComputed(name) && !slices.Contains(k.given(), name) {
			out = append(out, name)
		}
	}
	return out
}

// Overlay replaces attributes of an object.
func Overlay(v cty.Value, attributes map[string]cty.Value) cty.Value {
	if len(attributes) == 0 {
		return v
	}
	all := v.AsValueMap()
	for name, value := range attributes {
		all[name] = value
	}
	return cty.ObjectVal(all)
}

// Description is the documentation of an attribute, constraints included, by its
// path: "stages[].traffic_percent". It is empty where there is no such attribute.
func (k *Kind) Description(path string) string {
	attributes := k.Schema.Attributes
	for {
		head, rest, nested := strings.Cut(path, ".")
		attribute, ok := attributes[strings.TrimSuffix(strings.TrimSuffix(head, listElements), mapElements)]
		if !ok {
			return ""
		}
		if !nested {
			return attribute.GetMarkdownDescription()
		}
		attributes, _ = nestedAttributes(attribute)
		path = rest
	}
}
