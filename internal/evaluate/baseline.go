package evaluate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/profile"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// baselineSubject is what the rules on baselines are given.
type baselineSubject struct {
	declared spec.Baseline
	profiles []columnProfile // one, or one for each column, in the order of the columns
}

// columnProfile is a profile, and the attribute that names its column where there are
// several.
type columnProfile struct {
	spec.Profile
	column string
	path   cty.Path
}

// descriptionDigits is how many significant digits a mean or a standard deviation
// of data is stored with.
const descriptionDigits = 6

func evaluateBaseline(kind *spec.Kind, value cty.Value, inputs Inputs) (any, map[string]cty.Value, error) {
	declared, err := spec.Decode[spec.Baseline](value)
	if err != nil {
		return nil, nil, err
	}
	computed := map[string]cty.Value{}
	for _, name := range []string{"profile", "profiles", spec.AttributeEvaluation} {
		computed[name] = unknown(kind, name)
	}
	file, binning := declared.File.Fields(), declared.Binning.Fields()
	switch { // which of the two it will be is known before the values are
	case declared.File.IsUnknown() || declared.Bins.IsUnknown():
	case !declared.File.IsNull() && file.Columns.IsKnown():
		computed["profile"] = cty.NullVal(kind.Type().AttributeType("profile"))
	case declared.File.IsNull() || file.Columns.IsNull():
		computed["profiles"] = cty.NullVal(kind.Type().AttributeType("profiles"))
	}
	smoothingKnown := !spec.AnyUnknown(declared.Binning, binning.Smoothing, binning.Epsilon)
	switch {
	case inputs.Kept != nil:
		for name := range computed {
			if kept, ok := inputs.Kept[name]; ok {
				computed[name] = kept
			}
		}
	case inputs.Profiles != nil && smoothingKnown:
		profiles, figures := map[string]cty.Value{}, map[string]cty.Value{}
		for column, r := range inputs.Profiles {
			profiles[column] = profileOf(cty.StringVal(column), declared, *r)
			figures[column] = cty.ObjectVal(describeValues(r))
		}
		computed["profiles"] = cty.MapVal(profiles)
		all := describeValues(nil)
		all["columns"] = cty.MapVal(figures)
		computed[spec.AttributeEvaluation] = cty.ObjectVal(all)
	case inputs.Profile != nil && smoothingKnown:
		computed["profile"] = profileOf(leafString(declared.Name), declared, *inputs.Profile)
		computed[spec.AttributeEvaluation] = oneColumn(kind, inputs.Profile)
	case declared.Bins.IsKnown() && smoothingKnown:
		if result, ok := declaredBins(declared.Bins); ok {
			computed["profile"] = profileOf(leafString(declared.Name), declared, result)
			computed[spec.AttributeEvaluation] = oneColumn(kind, nil)
		}
	}
	completed, err := spec.Decode[spec.Baseline](spec.Overlay(value, computed))
	if err != nil {
		return nil, nil, err
	}
	return baselineSubject{declared: declared, profiles: profilesOf(completed)}, computed, nil
}

// profilesOf are the profiles in the order of the declared columns; none while they are
// unknown.
func profilesOf(b spec.Baseline) []columnProfile {
	if p, ok := b.Profile.Get(); ok {
		return []columnProfile{{Profile: p}}
	}
	profiles, _ := b.Profiles.Get()
	columns, _ := b.File.Fields().Columns.Get()
	var out []columnProfile
	for _, column := range columns {
		if p, ok := profiles[column.Or("")]; ok {
			out = append(out, columnProfile{Profile: p.Fields(), column: column.Or(""), path: column.Path()})
		}
	}
	return out
}

// oneColumn is the evaluation of a baseline of one column.
func oneColumn(kind *spec.Kind, r *profile.Result) cty.Value {
	figures := describeValues(r)
	figures["columns"] = cty.NullVal(kind.Type().AttributeType(spec.AttributeEvaluation).AttributeType("columns"))
	return cty.ObjectVal(figures)
}

// profileOf is the profile that monitors take.
func profileOf(name cty.Value, declared spec.Baseline, r profile.Result) cty.Value {
	binning := declared.Binning.Fields()
	smoothing := binning.Smoothing.Or(stats.SmoothingEpsilon)
	attributes := map[string]cty.Value{
		"name":       name,
		"bins":       spec.Number(float64(r.Bins())),
		"samples":    spec.Number(float64(r.Samples)),
		"missing":    spec.Number(float64(r.Missing)),
		"empty_bins": spec.Number(float64(r.EmptyBins)),
		"shares":     numbers(r.Shares()),
		"edges":      cty.NullVal(cty.List(cty.Number)),
		"categories": cty.NullVal(cty.List(cty.String)),
		"method":     cty.StringVal(r.Method),
		"smoothing":  cty.StringVal(smoothing),
		"epsilon":    nullNumber,
		"digest":     cty.StringVal(r.Digest),
	}
	if r.Categories != nil {
		attributes["categories"] = stringsValue(r.Categories)
	} else {
		attributes["edges"] = numbers(r.Edges)
	}
	if smoothing == stats.SmoothingEpsilon {
		attributes["epsilon"] = spec.Number(binning.Epsilon.Or(stats.DefaultSmoothing().Epsilon))
	}
	return cty.ObjectVal(attributes)
}

// describeValues are the figures of a column; without one, all are null.
func describeValues(r *profile.Result) map[string]cty.Value {
	attributes := map[string]cty.Value{
		"missing_rate": nullNumber, "minimum": nullNumber, "maximum": nullNumber, "mean": nullNumber, "std_dev": nullNumber,
	}
	if r != nil {
		attributes["missing_rate"] = number(roundProbability(float64(r.Missing) / float64(r.Missing+r.Samples)))
	}
	if r != nil && r.Numbers != nil {
		attributes["minimum"] = number(r.Numbers.Minimum)
		attributes["maximum"] = number(r.Numbers.Maximum)
		attributes["mean"] = number(stats.RoundSignificant(r.Numbers.Mean, descriptionDigits))
		attributes["std_dev"] = number(stats.RoundSignificant(r.Numbers.StdDev, descriptionDigits))
	}
	return attributes
}

// declaredBins is the profile of bins that are declared rather than counted; false
// where something in them is unknown.
func declaredBins(bins spec.Value[[]spec.Value[spec.Bin]]) (profile.Result, bool) {
	r := profile.Result{Method: profile.MethodExplicit}
	elements, _ := bins.Get()
	r.Requested = len(elements)
	var text strings.Builder
	for _, element := range elements {
		bin := element.Fields()
		count, ok := bin.Count.Get()
		if !ok || spec.AnyUnknown(element, bin.Upper, bin.Category) {
			return r, false
		}
		r.Counts = append(r.Counts, int64(count))
		r.Samples += int64(count)
		if count == 0 {
			r.EmptyBins++
		}
		edge := ""
		if upper, ok := bin.Upper.Get(); ok {
			r.Edges = append(r.Edges, upper)
			edge = stats.FormatFloat(upper)
		}
		if category, ok := bin.Category.Get(); ok {
			r.Categories, r.Method = append(r.Categories, category), profile.MethodCategorical
			edge = strconv.Quote(category)
		}
		fmt.Fprintf(&text, "%s:%d\n", edge, int64(count))
	}
	sum := sha256.Sum256([]byte(text.String()))
	r.Digest = "sha256:" + hex.EncodeToString(sum[:])
	return r, true
}
