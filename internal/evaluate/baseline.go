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
	profile  spec.Value[spec.Profile]
}

// descriptionDigits is how many significant digits a mean or a standard deviation
// of data is stored with.
const descriptionDigits = 6

func evaluateBaseline(kind *spec.Kind, value cty.Value, inputs Inputs) (any, map[string]cty.Value, error) {
	declared, err := spec.Decode[spec.Baseline](value)
	if err != nil {
		return nil, nil, err
	}
	computed := map[string]cty.Value{
		"profile":                unknown(kind, "profile"),
		spec.AttributeEvaluation: unknown(kind, spec.AttributeEvaluation),
	}
	binning := declared.Binning.Fields()
	smoothingKnown := !spec.AnyUnknown(declared.Binning, binning.Smoothing, binning.Epsilon)
	switch {
	case inputs.Kept != nil:
		for name := range computed {
			if kept, ok := inputs.Kept[name]; ok {
				computed[name] = kept
			}
		}
	case inputs.Profile != nil && smoothingKnown:
		computed["profile"] = profileOf(declared, *inputs.Profile)
		computed[spec.AttributeEvaluation] = describeValues(inputs.Profile)
	case declared.Bins.IsKnown() && smoothingKnown:
		if result, ok := declaredBins(declared.Bins); ok {
			computed["profile"] = profileOf(declared, result)
			computed[spec.AttributeEvaluation] = describeValues(nil)
		}
	}
	completed, err := spec.Decode[spec.Baseline](spec.Overlay(value, computed))
	if err != nil {
		return nil, nil, err
	}
	return baselineSubject{declared: declared, profile: completed.Profile}, computed, nil
}

// profileOf is the profile that monitors take.
func profileOf(declared spec.Baseline, r profile.Result) cty.Value {
	binning := declared.Binning.Fields()
	smoothing := binning.Smoothing.Or(stats.SmoothingEpsilon)
	attributes := map[string]cty.Value{
		"name":       leafString(declared.Name),
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

// describeValues is the evaluation; without a file there are no values to describe.
func describeValues(r *profile.Result) cty.Value {
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
	return cty.ObjectVal(attributes)
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
