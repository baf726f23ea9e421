package envelope

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/zclconf/go-cty/cty"
	ctymsgpack "github.com/zclconf/go-cty/cty/msgpack"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// toCty turns a plan, a state or a configuration into the vocabulary's form.
// MessagePack, the protocol's own encoding, keeps unknown values.
func toCty(kind *spec.Kind, raw tftypes.Value) (cty.Value, error) {
	wire, err := tfprotov6.NewDynamicValue(raw.Type(), raw)
	if err != nil {
		return cty.NilVal, fmt.Errorf("encoding %s: %w", kind.TerraformType(), err)
	}
	return kind.DecodeMessagePack(wire.MsgPack)
}

// fromCty is the way back; ty is the schema's type as Terraform's protocol has it.
func fromCty(kind *spec.Kind, v cty.Value, ty tftypes.Type) (tftypes.Value, error) {
	wire, err := ctymsgpack.Marshal(v, kind.Type())
	if err != nil {
		return tftypes.Value{}, fmt.Errorf("encoding %s: %w", kind.TerraformType(), err)
	}
	raw, err := tfprotov6.DynamicValue{MsgPack: wire}.Unmarshal(ty)
	if err != nil {
		return tftypes.Value{}, fmt.Errorf("decoding %s: %w", kind.TerraformType(), err)
	}
	return raw, nil
}

// topLevel is the attribute a diagnostic is attached to. Terraform renders a
// diagnostic on a nested path without its line, so the whole path goes into the
// text and the line is that of the attribute around it.
func topLevel(p cty.Path) path.Path {
	if len(p) > 0 {
		if step, ok := p[0].(cty.GetAttrStep); ok {
			return path.Root(step.Name)
		}
	}
	return path.Empty()
}
