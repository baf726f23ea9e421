package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/spf13/cobra"
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/evaluate"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/profile"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// profileFlags are how a data file becomes a baseline.
type profileFlags struct {
	columns                                       []string
	method, format, input, model, name, smoothing string
	bins                                          int
	edges                                         []float64
	epsilon                                       string
}

func newProfile() *cobra.Command {
	var f profileFlags
	cmd := &cobra.Command{
		Use:   "profile FILE --column COLUMN...",
		Short: "Print a data file's columns as baselines with declared bins",
		Long: `Print each named column of a data file as a baseline with declared bins: the policy then
needs the file no longer. The file is CSV with a header row, Parquet, or an object of JSON
a line. HCL is for a spec file (and, inside of a resource block, for Terraform); JSON has
the computed profile and the figures as well, and is a list where several columns are named.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.format != "json" && f.format != "hcl" {
				return fmt.Errorf("there is no format %q; the formats are: hcl, json", f.format)
			}
			if f.input != "" && !slices.Contains(profile.Formats(), f.input) {
				return fmt.Errorf("there is no input format %q; the formats are: %s", f.input, strings.Join(profile.Formats(), ", "))
			}
			if f.name != "" && len(f.columns) > 1 {
				return fmt.Errorf("--name is for one column, and %d are named: leave it out, and each baseline has its column's name", len(f.columns))
			}
			table, err := profile.Read(args[0], f.input, f.method, f.columns...)
			if err != nil {
				return err
			}
			if len(f.columns) == 0 {
				return fmt.Errorf("name the column: --column %s", strings.Join(table.Columns(), "|"))
			}
			baselines := make([]cty.Value, len(f.columns))
			for i, column := range f.columns {
				if baselines[i], err = f.baseline(table, column); err != nil {
					return err
				}
			}
			if f.format == "json" {
				return printJSON(cmd.OutOrStdout(), baselines)
			}
			for i, b := range baselines {
				if i > 0 {
					if _, err := io.WriteString(cmd.OutOrStdout(), "\n"); err != nil {
						return err
					}
				}
				if err := f.printHCL(cmd.OutOrStdout(), b, f.columns[i]); err != nil {
					return err
				}
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.columns, "column", nil, "column to profile; may be repeated")
	flags.StringVar(&f.input, "input-format", "", "the file's format: csv, parquet or jsonl (default: by its extension)")
	flags.StringVar(&f.method, "method", profile.MethodQuantile, "how values become bins: quantile, equal_width, explicit or categorical")
	flags.IntVar(&f.bins, "bins", 10, "how many bins; the most categories that categorical accepts")
	flags.Float64SliceVar(&f.edges, "edges", nil, "inner edges for explicit, ascending, separated by commas")
	flags.StringVar(&f.smoothing, "smoothing", "epsilon", "what is done about empty bins: none, epsilon, laplace or jeffreys")
	flags.StringVar(&f.epsilon, "epsilon", "1e-8", "what epsilon smoothing adds to each proportion")
	flags.StringVar(&f.model, "model", "", "the registered model's name")
	flags.StringVar(&f.name, "name", "", "the baseline's name (default: the column's)")
	flags.StringVar(&f.format, "format", "hcl", "hcl or json")
	return cmd
}

// baseline profiles the column and returns the baseline with its bins declared and its
// figures computed.
func (f *profileFlags) baseline(table *profile.Table, column string) (cty.Value, error) {
	kind, _ := spec.ByName("baseline")
	epsilon, err := cty.ParseNumberVal(f.epsilon)
	if err != nil {
		return cty.NilVal, fmt.Errorf("--epsilon takes a number, not %q", f.epsilon)
	}
	edges := cty.NullVal(cty.List(cty.Number))
	if len(f.edges) > 0 {
		values := make([]cty.Value, len(f.edges))
		for i, edge := range f.edges {
			values[i] = spec.Number(edge)
		}
		edges = cty.ListVal(values)
	}
	model := cty.StringVal(f.model)
	if f.model == "" {
		model = cty.StringVal("model") // any that is valid: it is taken out again
	}
	declared := object(kind.Type(), map[string]cty.Value{
		"model": model,
		"name":  cty.StringVal(f.nameOf(column)),
		"file":  object(kind.Type().AttributeType("file"), map[string]cty.Value{"path": cty.StringVal("data"), "column": cty.StringVal(column)}),
		"binning": object(kind.Type().AttributeType("binning"), map[string]cty.Value{
			"method": cty.StringVal(f.method), "bins": cty.NumberIntVal(int64(f.bins)), "edges": edges,
			"smoothing": cty.StringVal(f.smoothing), "epsilon": epsilon,
		}),
	})
	declared = kind.ApplyDefaults(declared)
	var wrong []error
	for _, finding := range kind.Check(declared) {
		wrong = append(wrong, fmt.Errorf("%s %s", finding.Detail, finding.Fix))
	}
	if len(wrong) > 0 {
		return cty.NilVal, errors.Join(wrong...)
	}
	result, err := table.Profile(column, profile.Binning{Method: f.method, Bins: f.bins, Edges: f.edges})
	if err != nil {
		return cty.NilVal, err
	}
	report, err := evaluate.Object(kind, declared, evaluate.Inputs{Profile: result})
	if err != nil {
		return cty.NilVal, err
	}
	out := map[string]cty.Value{
		"file":    cty.NullVal(kind.Type().AttributeType("file")),
		"bins":    binsOf(kind, result),
		"binning": cty.NullVal(kind.Type().AttributeType("binning")),
	}
	if f.smoothing != "epsilon" || f.epsilon != "1e-8" {
		binning := map[string]cty.Value{"smoothing": cty.StringVal(f.smoothing)}
		if f.smoothing == "epsilon" {
			binning["epsilon"] = epsilon
		}
		out["binning"] = object(kind.Type().AttributeType("binning"), binning)
	}
	if f.model == "" {
		out["model"] = cty.NullVal(cty.String)
	}
	for _, name := range kind.ComputedAttributes() {
		out[name] = report.Computed[name]
	}
	return spec.Overlay(declared, out), nil
}

// nameOf is the name of a column's baseline.
func (f *profileFlags) nameOf(column string) string {
	if f.name != "" {
		return f.name
	}
	return column
}

// object is a value of an object type whose other attributes are null.
func object(ty cty.Type, attributes map[string]cty.Value) cty.Value {
	all := map[string]cty.Value{}
	for name, attribute := range ty.AttributeTypes() {
		all[name] = cty.NullVal(attribute)
	}
	for name, value := range attributes {
		all[name] = value
	}
	return cty.ObjectVal(all)
}

func binsOf(kind *spec.Kind, r *profile.Result) cty.Value {
	ty := kind.Type().AttributeType("bins").ElementType()
	bins := make([]cty.Value, r.Bins())
	for i, count := range r.Counts {
		bin := map[string]cty.Value{"count": cty.NumberIntVal(count)}
		switch {
		case r.Categories != nil:
			bin["category"] = cty.StringVal(r.Categories[i])
		case i < len(r.Edges):
			bin["upper"] = spec.Number(r.Edges[i])
		}
		bins[i] = object(ty, bin)
	}
	return cty.ListVal(bins)
}

func printJSON(w io.Writer, baselines []cty.Value) error {
	kind, _ := spec.ByName("baseline")
	encoded := make([]json.RawMessage, len(baselines))
	for i, b := range baselines {
		var err error
		if encoded[i], err = kind.EncodeJSON(b); err != nil {
			return err
		}
	}
	var document any = encoded
	if len(encoded) == 1 {
		document = encoded[0]
	}
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(document)
}

func (f *profileFlags) printHCL(w io.Writer, value cty.Value, column string) error {
	b, err := spec.Decode[spec.Baseline](value)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	p := b.Profile.Fields()
	fmt.Fprintf(&out, "# %s bins of %s values of the column %s; %s missing. %s\n",
		count(p.Bins.Or(0)), count(p.Samples.Or(0)), strconv.Quote(column), count(p.Missing.Or(0)), p.Digest.Or(""))
	fmt.Fprintf(&out, "baseline %s {\n", strconv.Quote(identifier(f.nameOf(column))))
	if model, ok := b.Model.Get(); ok {
		fmt.Fprintf(&out, "  model = %s\n", quoted(model))
	} else {
		out.WriteString("  # model = \"...\"\n")
	}
	fmt.Fprintf(&out, "  name = %s\n  bins = [\n", quoted(f.nameOf(column)))
	bins, _ := b.Bins.Get()
	for _, bin := range bins {
		bin := bin.Fields()
		first := ""
		if category, ok := bin.Category.Get(); ok {
			first = "category = " + quoted(category) + ", "
		} else if upper, ok := bin.Upper.Get(); ok {
			first = "upper = " + strconv.FormatFloat(upper, 'g', -1, 64) + ", "
		}
		fmt.Fprintf(&out, "    { %scount = %s },\n", first, count(bin.Count.Or(0)))
	}
	out.WriteString("  ]\n")
	if binning := b.Binning.Fields(); b.Binning.IsKnown() {
		epsilon := ""
		if _, ok := binning.Epsilon.Get(); ok {
			epsilon = ", epsilon = " + f.epsilon
		}
		fmt.Fprintf(&out, "  binning = { smoothing = %s%s }\n", quoted(binning.Smoothing.Or("")), epsilon)
	}
	out.WriteString("}\n")
	_, err = w.Write(hclwrite.Format(out.Bytes()))
	return err
}

func count(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

func quoted(text string) string {
	return string(hclwrite.TokensForValue(cty.StringVal(text)).Bytes())
}

// identifier makes a block's label of a name.
func identifier(name string) string {
	label := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
	if label == "" || label[0] == '-' || label[0] >= '0' && label[0] <= '9' {
		label = "_" + label
	}
	return label
}
