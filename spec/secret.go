package spec

import (
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/zclconf/go-cty/cty"
)

// versionSuffix is what the name of a secret's version adds to the secret's.
const versionSuffix = "_version"

// secretString is a write-only attribute: Terraform keeps it in no plan and no state,
// and the control plane apart from the object. Beside it stands its version, whose
// change says that the secret has changed.
func secretString(description string) schema.StringAttribute {
	return schema.StringAttribute{
		Optional: true, Sensitive: true, WriteOnly: true,
		MarkdownDescription: description + " Write-only (Terraform 1.11 or later): it is in no plan, state, log or answer. The control plane keeps it unencrypted in its own file, which only the owner may read (0600): whoever can read that file, or a backup of it, has the secret.",
	}
}

func secretVersion(name string) schema.NumberAttribute {
	return optionalNumber("Change it whenever `" + name + "` changes: a secret that is kept nowhere cannot be compared.")
}

func isWriteOnly(attribute schema.Attribute) bool {
	a, ok := attribute.(interface{ IsWriteOnly() bool })
	return ok && a.IsWriteOnly()
}

// Secret is a write-only attribute of an object.
type Secret struct {
	// Name is its path: webhook.secret_wo.
	Name string
	// Path is the same.
	Path cty.Path
	// Version is its version, as text; empty where none is declared: then the object
	// has no such secret.
	Version string
	// Value is the secret, empty where it is null, as it is in plans and states.
	Value string
	// Unknown says that the value is not known yet.
	Unknown bool
}

// Secrets lists an object's secrets, by name.
func (k *Kind) Secrets(v cty.Value) []Secret {
	return secretsOf(k.Schema.Attributes, v, nil)
}

func secretsOf(attributes map[string]schema.Attribute, v cty.Value, path cty.Path) []Secret {
	if v == cty.NilVal || !v.IsKnown() || v.IsNull() {
		return nil
	}
	var out []Secret
	for _, name := range sortedKeys(attributes) {
		here, value := extend(path, cty.GetAttrStep{Name: name}), v.GetAttr(name)
		if isWriteOnly(attributes[name]) {
			s := Secret{Name: PathString(here), Path: here, Unknown: !value.IsKnown()}
			if value.IsKnown() && !value.IsNull() {
				s.Value = value.AsString()
			}
			if version := v.GetAttr(name + versionSuffix); version.IsKnown() && !version.IsNull() {
				s.Version = NumberString(version)
			}
			out = append(out, s)
		}
		if nested, many := nestedAttributes(attributes[name]); nested != nil && many == noElements {
			out = append(out, secretsOf(nested, value, here)...)
		}
	}
	return out
}

// WithoutSecrets is the object with every secret null.
func (k *Kind) WithoutSecrets(v cty.Value) cty.Value {
	for _, s := range k.Secrets(v) {
		v = withLeaf(v, strings.Split(s.Name, "."), cty.NullVal(cty.String))
	}
	return v
}

// WithSecret is the object with a secret, by its name, filled in.
func (k *Kind) WithSecret(v cty.Value, name, value string) cty.Value {
	return withLeaf(v, strings.Split(name, "."), cty.StringVal(value))
}

func withLeaf(v cty.Value, path []string, leaf cty.Value) cty.Value {
	if len(path) > 1 {
		leaf = withLeaf(v.GetAttr(path[0]), path[1:], leaf)
	}
	return Overlay(v, map[string]cty.Value{path[0]: leaf})
}
