package envelope

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/review"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// maxDifferences bounds what one diagnostic lists.
const maxDifferences = 10

// confirm compares what the control plane keeps, by its answer to a write, with what
// was written, and returns what the state must have. A success that keeps something
// else, as after a rollback on the server, is an error; the state then has what is
// kept, so that the next plan shows the difference. With it comes the memory of its
// review, where it is what was reviewed.
func (r *Resource) confirm(diags *diag.Diagnostics, written cty.Value, body json.RawMessage, object *client.Object, name string, created bool) (cty.Value, *review.Memory) {
	if bytes.Equal(object.Attributes, body) {
		return written, r.remembered(written)
	}
	kept, err := r.kind.DecodeJSON(object.Attributes)
	if err != nil {
		diags.AddError("The control plane keeps something else: "+name, "It answered that the write is done, and what it keeps does not fit this version of the provider: "+err.Error()+"\n\nFix: use the version of the provider that belongs to the control plane's, then plan again.")
		return written, nil
	}
	wanted := r.kind.Ungiven(r.kind.WithoutSecrets(written))
	if kept.RawEquals(wanted) {
		return written, r.remembered(written)
	}
	differences := differences(wanted, kept, nil)
	if more := len(differences) - maxDifferences; more > 0 {
		differences = append(differences[:maxDifferences], fmt.Sprintf("and %d more", more))
	}
	detail := "The control plane answered that the write is done, and keeps something else than was written:\n\n    " + strings.Join(differences, "\n    ") +
		"\n\nThe state has what is kept.\n\nFix: find out what changes it, such as a rollback or a rule of the server's. Then plan again, and review what the new plan shows."
	if created {
		detail += " Terraform takes an object whose creation failed for tainted, and would replace it: `terraform untaint` keeps it."
	}
	diags.AddError("The control plane keeps something else: "+name, detail)
	return kept, nil
}

// differences lists the attributes that two objects of one type do not agree on, each
// by its path.
func differences(wanted, kept cty.Value, at cty.Path) []string {
	if wanted.RawEquals(kept) {
		return nil
	}
	ty := wanted.Type()
	if !wanted.IsNull() && !kept.IsNull() {
		switch {
		case ty.IsObjectType():
			var out []string
			for _, name := range slices.Sorted(maps.Keys(ty.AttributeTypes())) {
				out = append(out, differences(wanted.GetAttr(name), kept.GetAttr(name), slices.Concat(at, cty.GetAttrPath(name)))...)
			}
			return out
		case ty.IsListType() && wanted.LengthInt() == kept.LengthInt():
			var out []string
			for i, element := range wanted.AsValueSlice() {
				out = append(out, differences(element, kept.Index(cty.NumberIntVal(int64(i))), slices.Concat(at, cty.IndexIntPath(i)))...)
			}
			return out
		}
	}
	return []string{fmt.Sprintf("%s: %s is kept, and %s was written", spec.PathString(at), shown(kept), shown(wanted))}
}

// shown is a value as a diagnostic shows it.
func shown(v cty.Value) string {
	const most = 200
	text, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		return "a value that cannot be shown" // unknown, which nothing that was written is
	}
	if len(text) > most {
		return strings.ToValidUTF8(string(text[:most]), "") + "..."
	}
	return string(text)
}
