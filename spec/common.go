package spec

import (
	"fmt"
	"math"
	"math/big"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/numberdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/zclconf/go-cty/cty"
)

// Waiver accepts one rule's findings on one object, for a reason and until a day.
type Waiver struct {
	Rule    Value[string] `cty:"rule"`
	Reason  Value[string] `cty:"reason"`
	Expires Value[string] `cty:"expires"`
}

var infinity = bound{value: math.Inf(1)}

func requiredString(description string) schema.StringAttribute {
	return schema.StringAttribute{Required: true, MarkdownDescription: description}
}

func optionalString(description string) schema.StringAttribute {
	return schema.StringAttribute{Optional: true, MarkdownDescription: description}
}

func stringWithDefault(value, description string) schema.StringAttribute {
	return schema.StringAttribute{
		Optional: true, Computed: true, Default: stringdefault.StaticString(value),
		MarkdownDescription: description + fmt.Sprintf(" Default `%s`.", value),
	}
}

func requiredNumber(description string) schema.NumberAttribute {
	return schema.NumberAttribute{Required: true, MarkdownDescription: description}
}

func optionalNumber(description string) schema.NumberAttribute {
	return schema.NumberAttribute{Optional: true, MarkdownDescription: description}
}

// numberWithDefault takes the default as text, so that 1e-8 means the decimal
// and not its binary neighbour.
func numberWithDefault(text, description string) schema.NumberAttribute {
	value, _, err := big.ParseFloat(text, 10, 512, big.ToNearestEven)
	if err != nil {
		panic(err)
	}
	return schema.NumberAttribute{
		Optional: true, Computed: true, Default: numberdefault.StaticBigFloat(value),
		MarkdownDescription: description + fmt.Sprintf(" Default `%s`.", text),
	}
}

func boolWithDefault(value bool, description string) schema.BoolAttribute {
	return schema.BoolAttribute{
		Optional: true, Computed: true, Default: booldefault.StaticBool(value),
		MarkdownDescription: description + fmt.Sprintf(" Default `%t`.", value),
	}
}

func computedString(description string) schema.StringAttribute {
	return schema.StringAttribute{Computed: true, MarkdownDescription: description}
}

func computedNumber(description string) schema.NumberAttribute {
	return schema.NumberAttribute{Computed: true, MarkdownDescription: description}
}

func computedNumbers(description string) schema.ListAttribute {
	return schema.ListAttribute{Computed: true, ElementType: types.NumberType, MarkdownDescription: description}
}

// keyString is a required attribute that identifies the object: changing it
// replaces the object.
func keyString(description string) schema.StringAttribute {
	return schema.StringAttribute{
		Required: true, MarkdownDescription: description + " Changing it replaces the object.",
		PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
	}
}

// withCommon adds what every kind has.
func withCommon(attributes map[string]schema.Attribute) map[string]schema.Attribute {
	attributes[AttributeID] = computedString("The name path that identifies the object, as `terraform import` takes it.")
	attributes[AttributeUID] = schema.StringAttribute{
		Computed: true, MarkdownDescription: "Made by the control plane when it creates the object: it changes when somebody deletes and re-creates it.",
		PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
	}
	attributes[AttributeWaivers] = schema.ListNestedAttribute{
		Optional:            true,
		MarkdownDescription: "Findings of this object that the team has accepted. An expired or unused waiver is itself a finding.",
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"rule":    requiredString("The rule whose findings are accepted."),
			"reason":  optionalString("Why: shown wherever the finding would have been."),
			"expires": requiredString("The last day on which the waiver holds."),
		}},
	}
	return attributes
}

// withCommonConstraints adds the constraints on what withCommon adds.
func withCommonConstraints(constraints map[string][]Constraint) map[string][]Constraint {
	constraints["waivers[].rule"] = []Constraint{ruleID()}
	constraints["waivers[].reason"] = []Constraint{waiverReason()}
	constraints["waivers[].expires"] = []Constraint{calendarDate()}
	return constraints
}

// exactlyOne yields a finding unless just one of the attributes of parent is set.
// Unknown attributes may turn out either way, so they raise nothing.
func exactlyOne(parent cty.Value, path cty.Path, names ...string) []Finding {
	var set []string
	for _, name := range names {
		switch value := parent.GetAttr(name); {
		case !value.IsKnown():
			return nil
		case !value.IsNull():
			set = append(set, name)
		}
	}
	if len(set) == 1 {
		return nil
	}
	at := extend(path, cty.GetAttrStep{Name: names[0]})
	where := ""
	if len(path) > 0 {
		where = " in " + PathString(path)
	}
	if len(set) == 0 {
		return []Finding{Invalid(at, cty.NilVal, fmt.Sprintf("exactly one of %s must be set%s, and none is", quotedList(names), where), "Set one of them.")}
	}
	at = extend(path, cty.GetAttrStep{Name: set[1]})
	return []Finding{Invalid(at, cty.NilVal, fmt.Sprintf("exactly one of %s must be set%s, and %s are", quotedList(names), where, quotedList(set)), "Remove "+set[1]+".")}
}

// mustDecode decodes a value of the kind's own type; disagreement between the
// schema and the Go struct is caught by a test over all kinds.
func mustDecode[T any](v cty.Value) T {
	out, err := Decode[T](v)
	if err != nil {
		panic(err)
	}
	return out
}

func attr(name string) cty.Path { return cty.Path{cty.GetAttrStep{Name: name}} }
