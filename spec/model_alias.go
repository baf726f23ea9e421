package spec

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/zclconf/go-cty/cty"
)

// ModelAlias is a name that points at one version of a model: promotion and
// rollback are a change of one number.
type ModelAlias struct {
	Model   Value[string]          `cty:"model"`
	Alias   Value[string]          `cty:"alias"`
	Version Value[float64]         `cty:"version"`
	Reason  Value[string]          `cty:"reason"`
	Waivers Value[[]Value[Waiver]] `cty:"waivers"`
	ID      Value[string]          `cty:"id"`
	UID     Value[string]          `cty:"uid"`
}

var modelAlias = &Kind{
	Name: "model_alias", Family: "registry", Key: []string{"model", "alias"}, Fields: ModelAlias{},
	Schema: schema.Schema{
		MarkdownDescription: "A name that points at one version of a model, such as `champion`. Promotion and rollback change `version` alone; the alias moves at once, and only from where the plan saw it. Every move is kept: who, when, from, to and why.",
		Attributes: withCommon(map[string]schema.Attribute{
			"model":   keyString("The registered model."),
			"alias":   keyString("The alias, unique for the model."),
			"version": requiredNumber("The number of the version it points at."),
			"reason":  optionalString("Why it points there; kept with the move in the alias's history."),
		}),
	},
	Constraints: withCommonConstraints(map[string][]Constraint{
		"model":   {objectName()},
		"alias":   {aliasName()},
		"version": {wholeNumber(), between(from(1), upTo(1<<31-1))},
		"reason":  {notBlank(), atMostBytes(1000)},
	}),
}

// maxAlias leaves room for what MLflow's tags put before an alias.
const maxAlias = 200

// aliasName accepts what every registry accepts as an alias. MLflow reserves what
// could be taken for a version.
func aliasName() Constraint {
	allowed, unsafe := regexp.MustCompile(`^[A-Za-z0-9_-]+$`), regexp.MustCompile(`[^A-Za-z0-9_-]+`)
	number := regexp.MustCompile(`^[vV]?[0-9]+$`)
	return Constraint{
		Describe:   fmt.Sprintf("Letters, digits, `_` and `-`, at most %d of them; neither `latest` nor anything that reads as a version, such as `v1` or `7`.", maxAlias),
		JSONSchema: map[string]any{"minLength": 1, "maxLength": maxAlias, "pattern": allowed.String()},
		Check: func(v cty.Value) (string, string) {
			name := v.AsString()
			switch {
			case name == "":
				return "an alias cannot be empty", `Name it, for instance "champion".`
			case len(name) > maxAlias:
				return fmt.Sprintf("an alias has at most %d characters, this one %d", maxAlias, len(name)), "Shorten it."
			case !allowed.MatchString(name):
				return "an alias has letters, digits, '_' and '-' only", "Use " + strconvQuote(strings.Trim(unsafe.ReplaceAllString(name, "_"), "_")) + "."
			case strings.EqualFold(name, "latest"):
				return "registries reserve this name for the newest version", `Use another name, for instance "newest".`
			case number.MatchString(name):
				return "registries take this for the number of a version", "Use " + strconvQuote("release_"+strings.TrimLeft(name, "vV")) + ", or name what it is for."
			}
			return "", ""
		},
	}
}
