package spec

import (
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// RegisteredModel is a model in the registry, whatever its versions.
type RegisteredModel struct {
	Name              Value[string]                   `cty:"name"`
	Description       Value[string]                   `cty:"description"`
	Owner             Value[string]                   `cty:"owner"`
	Risk              Value[string]                   `cty:"risk"`
	FalseAlarmsPer30d Value[float64]                  `cty:"false_alarms_per_30d"`
	Tags              Value[map[string]Value[string]] `cty:"tags"`
	DeletionPolicy    Value[string]                   `cty:"deletion_policy"`
	Waivers           Value[[]Value[Waiver]]          `cty:"waivers"`
	ID                Value[string]                   `cty:"id"`
	UID               Value[string]                   `cty:"uid"`
}

// What happens to a registered model when its declaration goes away.
const (
	DeletionPrevent = "prevent"
	DeletionAbandon = "abandon"
	DeletionDelete  = "delete"
)

var registeredModel = &Kind{
	Name: "registered_model", Family: "registry", Key: []string{"name"}, Fields: RegisteredModel{},
	Schema: schema.Schema{
		MarkdownDescription: "A model in the registry: who owns it, how much risk it carries, and how many false alarms all its monitors together may raise.",
		Attributes: withCommon(map[string]schema.Attribute{
			"name":                 keyString("The model's name in the registry."),
			"description":          optionalString("What the model does."),
			"owner":                optionalString("The team that answers for the model."),
			"risk":                 optionalString("How much harm a bad version can do; rollouts of the model are judged by it."),
			"false_alarms_per_30d": optionalNumber("How many false alarms all monitors of the model together may raise in 30 days."),
			"tags": schema.MapAttribute{
				Optional: true, ElementType: types.StringType,
				MarkdownDescription: "Tags. They are merged: tags that others set stay, and removing one here deletes only that one.",
			},
			"deletion_policy": stringWithDefault(DeletionPrevent, "What destroying or replacing this object does to the model: `prevent` refuses, `abandon` forgets it and leaves it in the registry, `delete` deletes it."),
		}),
	},
	Constraints: withCommonConstraints(map[string][]Constraint{
		"name":                 {objectName()},
		"description":          {atMostBytes(5000)},
		"owner":                {notBlank()},
		"risk":                 {oneOf("low", "medium", "high")},
		"false_alarms_per_30d": {between(above(0), upTo(1e6))},
		"tags":                 {tagMap()},
		"deletion_policy":      {oneOf(DeletionPrevent, DeletionAbandon, DeletionDelete)},
	}),
}
