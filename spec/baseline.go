package spec

import (
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/zclconf/go-cty/cty"
)

// Baseline is the distribution that a data drift monitor compares with.
type Baseline struct {
	Model      Value[string]                    `cty:"model"`
	Name       Value[string]                    `cty:"name"`
	File       Value[BaselineFile]              `cty:"file"`
	Bins       Value[[]Value[Bin]]              `cty:"bins"`
	Binning    Value[Binning]                   `cty:"binning"`
	Waivers    Value[[]Value[Waiver]]           `cty:"waivers"`
	ID         Value[string]                    `cty:"id"`
	UID        Value[string]                    `cty:"uid"`
	Profile    Value[Profile]                   `cty:"profile"`
	Profiles   Value[map[string]Value[Profile]] `cty:"profiles"`
	Evaluation Value[BaselineEvaluation]        `cty:"evaluation"`
}

// BaselineFile is where the baseline's data lie.
type BaselineFile struct {
	Path    Value[string]          `cty:"path"`
	Column  Value[string]          `cty:"column"`
	Columns Value[[]Value[string]] `cty:"columns"`
	Format  Value[string]          `cty:"format"`
	Digest  Value[string]          `cty:"digest"`
}

// Bin is one declared bin: a count of values up to an upper edge, or of a category.
type Bin struct {
	Upper    Value[float64] `cty:"upper"`
	Category Value[string]  `cty:"category"`
	Count    Value[float64] `cty:"count"`
}

// Binning says how values become bins.
type Binning struct {
	Method    Value[string]           `cty:"method"`
	Bins      Value[float64]          `cty:"bins"`
	Edges     Value[[]Value[float64]] `cty:"edges"`
	Smoothing Value[string]           `cty:"smoothing"`
	Epsilon   Value[float64]          `cty:"epsilon"`
}

// Profile is a binned distribution with everything a monitor needs to be judged.
// Shares are proportions of the Samples values that are not missing, a bin each.
type Profile struct {
	Name       Value[string]           `cty:"name"`
	Bins       Value[float64]          `cty:"bins"`
	Samples    Value[float64]          `cty:"samples"`
	Missing    Value[float64]          `cty:"missing"`
	EmptyBins  Value[float64]          `cty:"empty_bins"`
	Shares     Value[[]Value[float64]] `cty:"shares"`
	Edges      Value[[]Value[float64]] `cty:"edges"`
	Categories Value[[]Value[string]]  `cty:"categories"`
	Method     Value[string]           `cty:"method"`
	Smoothing  Value[string]           `cty:"smoothing"`
	Epsilon    Value[float64]          `cty:"epsilon"`
	Digest     Value[string]           `cty:"digest"`
}

// BaselineEvaluation holds a baseline's figures: of its column, or by column.
type BaselineEvaluation struct {
	MissingRate Value[float64]                            `cty:"missing_rate"`
	Minimum     Value[float64]                            `cty:"minimum"`
	Maximum     Value[float64]                            `cty:"maximum"`
	Mean        Value[float64]                            `cty:"mean"`
	StdDev      Value[float64]                            `cty:"std_dev"`
	Columns     Value[map[string]Value[ColumnEvaluation]] `cty:"columns"`
}

// ColumnEvaluation holds the figures of one column of several.
type ColumnEvaluation struct {
	MissingRate Value[float64] `cty:"missing_rate"`
	Minimum     Value[float64] `cty:"minimum"`
	Maximum     Value[float64] `cty:"maximum"`
	Mean        Value[float64] `cty:"mean"`
	StdDev      Value[float64] `cty:"std_dev"`
}

// MaximumColumns is the largest number of columns that one baseline profiles.
const MaximumColumns = 1000

// MaximumBins is the largest number of bins that is accepted: more say nothing
// about any sample that a monitor sees.
const MaximumBins = 1000

var profileDescriptions = map[string]string{
	"name":       "The baseline's name; the column's where a baseline has several.",
	"bins":       "How many bins there are.",
	"samples":    "How many values the baseline has, missing ones apart.",
	"missing":    "How many values are missing.",
	"empty_bins": "How many bins have no value.",
	"shares":     "The proportion of the values in each bin. Where it is left out, every bin has the same.",
	"edges":      "The inner edges between the bins, ascending: one fewer than there are bins. A value on an edge belongs to the bin above it.",
	"categories": "The categories, in the order of the bins.",
	"method":     "How the bins were made: `quantile`, `equal_width`, `explicit` or `categorical`.",
	"smoothing":  "What is done about empty bins: `none`, `epsilon`, `laplace` or `jeffreys`.",
	"epsilon":    "What `epsilon` smoothing adds to each proportion.",
	"digest":     "A digest of the data file, or of the declared bins.",
}

// computedProfile has the attributes of a profile that is computed.
func computedProfile() map[string]schema.Attribute {
	attributes := map[string]schema.Attribute{}
	for _, name := range []string{"name", "method", "smoothing", "digest"} {
		attributes[name] = computedString(profileDescriptions[name])
	}
	for _, name := range []string{"bins", "samples", "missing", "empty_bins", "epsilon"} {
		attributes[name] = computedNumber(profileDescriptions[name])
	}
	for _, name := range []string{"shares", "edges"} {
		attributes[name] = computedNumbers(profileDescriptions[name])
	}
	attributes["categories"] = schema.ListAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: profileDescriptions["categories"]}
	return attributes
}

func columnFigures() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"missing_rate": computedNumber("The proportion of values that are missing."),
		"minimum":      computedNumber("The smallest value."),
		"maximum":      computedNumber("The largest value."),
		"mean":         computedNumber("The mean."),
		"std_dev":      computedNumber("The standard deviation (with n - 1)."),
	}
}

// baselineFigures are those of one column, or of several by column.
func baselineFigures() map[string]schema.Attribute {
	attributes := columnFigures()
	attributes["columns"] = schema.MapNestedAttribute{
		Computed: true, MarkdownDescription: "The same figures by column, where `file.columns` is set; null otherwise.",
		NestedObject: schema.NestedAttributeObject{Attributes: columnFigures()},
	}
	return attributes
}

var baseline = &Kind{
	Name: "baseline", Family: "monitoring", Key: []string{"model", "name"}, Fields: Baseline{},
	Schema: schema.Schema{
		MarkdownDescription: "The distribution that data drift monitors compare with, from a data file or from declared bins.",
		Attributes: withCommon(map[string]schema.Attribute{
			"model": keyString("The registered model."),
			"name":  keyString("The baseline's name, unique for the model."),
			"file": schema.SingleNestedAttribute{
				Optional: true, MarkdownDescription: "The data file to profile. Either this or `bins`.",
				Attributes: map[string]schema.Attribute{
					"path":   requiredString("The file's path: relative to the working directory in Terraform (write `${path.module}/...`), to the spec file itself in a spec file."),
					"column": optionalString("The column to profile, which gives `profile`. Either this or `columns`."),
					"columns": schema.ListAttribute{
						Optional: true, ElementType: types.StringType,
						MarkdownDescription: "The columns to profile, which gives `profiles`: the file is read once for all of them.",
					},
					"format": optionalString("The file's format: CSV with a header row, Parquet, or an object of JSON a line. Left out, its extension says (`.parquet`, `.pq`, `.jsonl`, `.ndjson`), and any other is CSV."),
					"digest": optionalString("The file's SHA-256 as `sha256:<64 hexadecimal digits>`: a file that differs is an error, also one that changes between a saved plan and its apply."),
				},
			},
			"bins": schema.ListNestedAttribute{
				Optional: true, MarkdownDescription: "The bins with their counts, where the distribution is known already. Either this or `file`.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"upper":    optionalNumber("The bin's upper edge, which belongs to the next bin; left out on the last bin, which is open."),
					"category": optionalString("The category, for bins that are categories."),
					"count":    requiredNumber("How many values the bin has."),
				}},
			},
			"binning": schema.SingleNestedAttribute{
				Optional: true, MarkdownDescription: "How values become bins. Left out: 10 quantile bins for a file, the declared bins otherwise.",
				Attributes: map[string]schema.Attribute{
					"method":    stringWithDefault("quantile", "`quantile` makes bins of equal counts (numpy's linear-interpolated percentiles, open outer edges), `equal_width` bins of equal width between the smallest and the largest value, `explicit` takes `edges`, `categorical` makes a bin for each value."),
					"bins":      numberWithDefault("10", "How many bins `quantile` and `equal_width` make; the most categories that `categorical` accepts."),
					"edges":     schema.ListAttribute{Optional: true, ElementType: types.NumberType, MarkdownDescription: "The inner edges, ascending, for `explicit`."},
					"smoothing": stringWithDefault("epsilon", "What is done about empty bins: nothing, a small number added to every proportion, one or half a count added to every bin."),
					"epsilon":   numberWithDefault("1e-8", "What `epsilon` smoothing adds to each proportion."),
				},
			},
			"profile": schema.SingleNestedAttribute{
				Computed: true, Attributes: computedProfile(),
				MarkdownDescription: "The binned distribution: what a monitor's `baseline` takes. Null where `file.columns` is set.",
			},
			"profiles": schema.MapNestedAttribute{
				Computed: true, NestedObject: schema.NestedAttributeObject{Attributes: computedProfile()},
				MarkdownDescription: "The binned distributions by column, where `file.columns` is set; null otherwise. `for_each` over them makes a monitor for each column.",
			},
			AttributeEvaluation: schema.SingleNestedAttribute{
				Computed: true, MarkdownDescription: "Figures about the data. Null where only bins are declared.",
				Attributes: baselineFigures(),
			},
		}),
	},
	Constraints: withCommonConstraints(map[string][]Constraint{
		"model":             {objectName()},
		"name":              {objectName()},
		"file.path":         {notBlank()},
		"file.column":       {notBlank()},
		"file.columns":      {columnNames()},
		"file.format":       {oneOf("csv", "parquet", "jsonl")},
		"file.digest":       {sha256Digest()},
		"bins":              {notEmptyList()},
		"bins[].count":      {wholeNumber(), between(from(0), upTo(1e15))},
		"bins[].category":   {notBlank()},
		"binning.method":    {oneOf("quantile", "equal_width", "explicit", "categorical")},
		"binning.bins":      {wholeNumber(), between(from(2), upTo(MaximumBins))},
		"binning.edges":     {ascendingNumbers()},
		"binning.smoothing": {oneOf(smoothings...)},
		"binning.epsilon":   {between(above(0), upTo(0.1))},
	}),
	Together: func(v cty.Value) []Finding {
		findings := exactlyOne(v, nil, "file", "bins")
		b := mustDecode[Baseline](v)
		if b.File.IsKnown() {
			findings = append(findings, exactlyOne(v.GetAttr("file"), attr("file"), "column", "columns")...)
		}
		if method, ok := b.Binning.Fields().Method.Get(); ok {
			edges := b.Binning.Fields().Edges
			if method == "explicit" && edges.IsNull() && b.Bins.IsNull() {
				findings = append(findings, Invalid(edges.Path(), cty.NilVal, `the method "explicit" needs the edges`, "Set binning.edges, for instance [0.2, 0.4, 0.6, 0.8]."))
			}
			if method != "explicit" && !edges.IsNull() {
				findings = append(findings, Invalid(edges.Path(), cty.NilVal, fmt.Sprintf("edges are taken by the method %q only, and this is %q", "explicit", method), `Set method = "explicit", or remove edges.`))
			}
		}
		return append(findings, checkDeclaredBins(b.Bins)...)
	},
}

var smoothings = []string{"none", "epsilon", "laplace", "jeffreys"}

func checkDeclaredBins(list Value[[]Value[Bin]]) []Finding {
	bins, ok := list.Get()
	if !ok {
		return nil
	}
	if len(bins) < 2 || len(bins) > MaximumBins {
		return []Finding{Invalid(list.Path(), cty.NilVal, fmt.Sprintf("has %d bins: a distribution needs 2 to %d", len(bins), MaximumBins), "Declare the bins of the whole distribution.")}
	}
	total, categories := 0.0, 0
	previous, seen := Value[float64]{}, map[string]bool{}
	for i, bin := range bins {
		b := bin.Fields()
		if AnyUnknown(bin, b.Upper, b.Category, b.Count) {
			return nil
		}
		total += b.Count.Or(0)
		category, isCategory := b.Category.Get()
		if isCategory {
			categories++
			if seen[category] {
				return []Finding{Invalid(b.Category.Path(), cty.StringVal(category), "is declared twice", "Add the counts up in one bin.")}
			}
			seen[category] = true
			if !b.Upper.IsNull() {
				return []Finding{Invalid(b.Upper.Path(), cty.NilVal, "a bin is a category or has an upper edge, not both", "Remove upper.")}
			}
			continue
		}
		upper, hasUpper := b.Upper.Get()
		switch {
		case !hasUpper && i < len(bins)-1:
			return []Finding{Invalid(b.Upper.Path(), cty.NilVal, "every bin but the last needs its upper edge (or a category)", "Set upper.")}
		case hasUpper && i == len(bins)-1:
			return []Finding{Invalid(b.Upper.Path(), Number(upper), "the last bin is open: values above it would belong nowhere", "Remove upper from the last bin.")}
		case hasUpper && previous.IsKnown() && upper <= previous.Or(0):
			return []Finding{Invalid(b.Upper.Path(), Number(upper), "must be above the upper edge before it, "+formatNumber(previous.Or(0)), "Put the bins in ascending order.")}
		}
		previous = b.Upper
	}
	if categories > 0 && categories < len(bins) {
		return []Finding{Invalid(list.Path(), cty.NilVal, "either all bins are categories or none is", "Give every bin a category.")}
	}
	if total == 0 {
		return []Finding{Invalid(list.Path(), cty.NilVal, "all counts are 0: nothing can be compared with an empty distribution", "Declare the counts.")}
	}
	return nil
}

func columnNames() Constraint {
	return Constraint{
		Describe: fmt.Sprintf("1 to %d names, each once.", MaximumColumns),
		Check: func(v cty.Value) (string, string) {
			if n := v.LengthInt(); n == 0 || n > MaximumColumns {
				return fmt.Sprintf("has %d columns, and a baseline takes 1 to %d", n, MaximumColumns), "Name the columns to watch."
			}
			seen := map[string]bool{}
			for i, element := range v.AsValueSlice() {
				switch {
				case !element.IsKnown():
					continue
				case element.IsNull() || strings.TrimSpace(element.AsString()) == "":
					return fmt.Sprintf("the element %d is empty", i), "Remove it."
				case seen[element.AsString()]:
					return fmt.Sprintf("has %q twice", element.AsString()), "Name each column once."
				}
				seen[element.AsString()] = true
			}
			return "", ""
		},
	}
}

func sha256Digest() Constraint {
	return matching(`^sha256:[0-9a-f]{64}$`, "`sha256:` and 64 hexadecimal digits.", "must be sha256: and 64 hexadecimal digits in lower case", "Copy it from the message that names the file's digest, or leave it out.")
}

func ascendingNumbers() Constraint {
	return Constraint{
		Describe:   "Ascending.",
		JSONSchema: map[string]any{"minItems": 1, "maxItems": MaximumBins - 1, "items": map[string]any{"type": "number"}},
		Check: func(v cty.Value) (string, string) {
			if v.LengthInt() == 0 || v.LengthInt() > MaximumBins-1 {
				return fmt.Sprintf("has %d edges: a distribution needs 1 to %d inner edges", v.LengthInt(), MaximumBins-1), "Name the edges between the bins."
			}
			var previous cty.Value
			for i, element := range v.AsValueSlice() {
				if !element.IsKnown() {
					return "", ""
				}
				if element.IsNull() {
					return fmt.Sprintf("the element %d is null", i), "Remove it."
				}
				if i > 0 && !element.GreaterThan(previous).True() {
					return fmt.Sprintf("the element %d, %s, is not above the one before it, %s", i, NumberString(element), NumberString(previous)), "Put the edges in ascending order, each once."
				}
				previous = element
			}
			return "", ""
		},
	}
}
