package evaluate_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/evaluate"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// version evaluates a model version with these members in its JSON.
func version(t testing.TB, members string) evaluate.Report {
	t.Helper()
	v := declare(t, "model_version", `{"model":"fraud","source":"runs:/a/model",`+members+`}`, nil)
	report, err := evaluate.Object(kindOf(t, "model_version"), v, evaluate.Inputs{})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// gateFigures are the figures of the first gate, as text; what is null is left out.
func gateFigures(report evaluate.Report) map[string]string {
	out := map[string]string{}
	for name, value := range report.Computed[spec.AttributeEvaluation].GetAttr("gates").AsValueSlice()[0].AsValueMap() {
		if !value.IsNull() {
			out[name] = strings.Trim(spec.ValueString(value), `"`)
		}
	}
	return out
}

// The figures were computed by testdata/generate/gates.py from the formulas alone.
func TestAGatesFiguresAreThoseOfItsMetric(t *testing.T) {
	for name, tt := range map[string]struct {
		members string
		want    map[string]string
	}{
		"accuracy is binomial": {
			`"metrics":{"accuracy":0.92},"gates":[{"metric":"accuracy","minimum":0.9,"test_samples":400}]`,
			map[string]string{"metric": "accuracy", "value": "0.92", "margin": "0.02", "standard_error": "0.015", "z": "1.33", "p_value": "0.0912", "required_test_samples": "865", "method": "binomial"},
		},
		"recall counts the positives": {
			`"metrics":{"test_recall":0.8},"gates":[{"metric":"test_recall","minimum":0.7,"test_samples":2000,"prevalence":0.1}]`,
			map[string]string{"metric": "test_recall", "value": "0.8", "margin": "0.1", "standard_error": "0.0324", "z": "3.09", "p_value": "0.00101", "required_test_samples": "807", "method": "binomial"},
		},
		"a false positive rate counts the negatives, and has a maximum": {
			`"metrics":{"fpr":0.01},"gates":[{"metric":"fpr","maximum":0.02,"test_samples":1000,"prevalence":0.2}]`,
			map[string]string{"metric": "fpr", "value": "0.01", "margin": "0.01", "standard_error": "0.00495", "z": "2.02", "p_value": "0.0217", "required_test_samples": "942", "method": "binomial"},
		},
		"precision counts what is taken for positive": {
			`"metrics":{"precision":0.5,"recall":0.8},"gates":[{"metric":"precision","minimum":0.4,"test_samples":1000,"prevalence":0.05}]`,
			map[string]string{"metric": "precision", "value": "0.5", "margin": "0.1", "standard_error": "0.0548", "z": "1.83", "p_value": "0.0339", "required_test_samples": "1153", "method": "binomial"},
		},
		"an AUC is binormal": {
			`"metrics":{"roc_auc":0.85},"gates":[{"metric":"roc_auc","minimum":0.8,"test_samples":500,"prevalence":0.1}]`,
			map[string]string{"metric": "roc_auc", "value": "0.85", "margin": "0.05", "standard_error": "0.0324", "z": "1.54", "p_value": "0.0615", "required_test_samples": "807", "method": "binormal"},
		},
		"an RMSE of normal errors": {
			`"metrics":{"rmse":1.9},"gates":[{"metric":"rmse","maximum":2,"test_samples":450}]`,
			map[string]string{"metric": "rmse", "value": "1.9", "margin": "0.1", "standard_error": "0.0667", "z": "1.5", "p_value": "0.0668", "required_test_samples": "769", "method": "normal"},
		},
		"an RMSE with the spread of its squared errors": {
			`"metrics":{"rmse":1.9},"gates":[{"metric":"rmse","maximum":2,"test_samples":400,"std_dev":8}]`,
			map[string]string{"metric": "rmse", "value": "1.9", "margin": "0.1", "standard_error": "0.1", "z": "1", "p_value": "0.159", "required_test_samples": "1537", "method": "std_dev"},
		},
		"an MAE of normal errors": {
			`"metrics":{"mae":0.9},"gates":[{"metric":"mae","maximum":1,"test_samples":100}]`,
			map[string]string{"metric": "mae", "value": "0.9", "margin": "0.1", "standard_error": "0.0756", "z": "1.32", "p_value": "0.0928", "required_test_samples": "220", "method": "normal"},
		},
		"a mean of rows": {
			`"metrics":{"profit":12},"gates":[{"metric":"profit","minimum":10,"test_samples":100,"std_dev":10,"design_effect":4}]`,
			map[string]string{"metric": "profit", "value": "12", "margin": "2", "standard_error": "2", "z": "1", "p_value": "0.159", "required_test_samples": "385", "method": "std_dev"},
		},
		"a name that says nothing, with its kind": {
			`"metrics":{"quality":0.92},"gates":[{"metric":"quality","kind":"accuracy","minimum":0.9,"test_samples":400}]`,
			map[string]string{"metric": "quality", "value": "0.92", "margin": "0.02", "standard_error": "0.015", "z": "1.33", "p_value": "0.0912", "required_test_samples": "865", "method": "binomial"},
		},
		"a perfect score is held against the noise of the gate": {
			`"metrics":{"accuracy":1},"gates":[{"metric":"accuracy","minimum":0.95,"test_samples":20}]`,
			map[string]string{"metric": "accuracy", "value": "1", "margin": "0.05", "standard_error": "0.0487", "z": "1.03", "p_value": "0.152", "required_test_samples": "73", "method": "binomial"},
		},
		"an average over classes has no law": {
			`"metrics":{"f1_macro":0.92,"recall_macro":0.9},"gates":[{"metric":"recall_macro","minimum":0.9,"test_samples":400,"prevalence":0.1}]`,
			map[string]string{"metric": "recall_macro", "value": "0.9", "margin": "0"},
		},
		"without test samples there is no noise": {
			`"metrics":{"accuracy":0.92},"gates":[{"metric":"accuracy","minimum":0.9}]`,
			map[string]string{"metric": "accuracy", "value": "0.92", "margin": "0.02"},
		},
		"no metric": {
			`"gates":[{"metric":"accuracy","minimum":0.9,"test_samples":400}]`,
			map[string]string{"metric": "accuracy", "standard_error": "0.015", "method": "binomial"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, gateFigures(version(t, tt.members))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The chance that a model which is exactly at its gate passes with the margin that
// settles it is half the significance level, by simulation within its noise.
func TestAMarginThatSettlesAGateIsRarelyNoise(t *testing.T) {
	const limit, samples, tests = 0.8, 2000, 20000
	r := rand.New(rand.NewPCG(7, 11))
	// The smallest margin that the rule lets pass.
	margin := 0.0
	for errors := 400; errors > 0 && margin == 0; errors-- {
		value := float64(samples-errors) / samples
		report := version(t, fmt.Sprintf(`"metrics":{"accuracy":%v},"gates":[{"metric":"accuracy","minimum":%v,"test_samples":%d}]`, value, limit, samples))
		if len(ofRule(report.Findings, "registry/gate-in-noise")) == 0 {
			margin = value - limit
		}
	}
	passed := 0
	for range tests {
		right := 0
		for range samples {
			if r.Float64() < limit {
				right++
			}
		}
		if float64(right)/samples >= limit+margin-1e-12 {
			passed++
		}
	}
	rate, want := float64(passed)/tests, 0.025
	if math.Abs(rate-want) > 0.004 {
		t.Errorf("%.4f of the models that are exactly at the gate pass, want %.3f", rate, want)
	}
}

func TestWhichSourcesCanChange(t *testing.T) {
	commit, digest, run := strings.Repeat("0a", 20), "sha256:"+strings.Repeat("0f", 32), strings.Repeat("5b", 16)
	for source, says := range map[string]string{
		"runs:/" + run + "/model":                                            "",
		"models:/fraud/3":                                                    "",
		"models:/m-" + run:                                                   "",
		"models:/fraud@champion":                                             `alias "champion"`,
		"models:/fraud/latest":                                               `"latest"`,
		"models:/fraud/Production":                                           `"Production"`,
		"mlflow-artifacts:/0/" + run + "/artifacts/model":                    "",
		"mlflow-artifacts:/models/m-" + run + "/artifacts":                   "",
		"mlflow-artifacts:/shared/model":                                     "belongs to no run",
		"s3://bucket/fraud/7/model.pkl":                                      "S3 key",
		"s3://bucket/fraud/7/model.pkl?versionId=3HL4kqtJlcpXroDTDm":         "",
		"s3://bucket/fraud/7/model.pkl?versionId=null":                       "S3 key",
		"gs://bucket/model":                                                  "Cloud Storage",
		"gs://bucket/model#1700000000000000":                                 "",
		"abfss://c@account.dfs.core.windows.net/model":                       "storage can be written",
		"https://account.blob.core.windows.net/c/model?versionid=2024":       "",
		"https://example.com/model.bin":                                      "web address",
		"https://huggingface.co/o/m/resolve/main/model.bin":                  "web address",
		"https://huggingface.co/o/m/resolve/" + commit + "/model.bin":        "",
		"hf://org/model":                                                     "branch or tag",
		"hf://org/model@main":                                                "branch or tag",
		"hf://org/model@" + commit:                                           "",
		"hf://org/model:" + commit:                                           "",
		"hf://org/model@" + commit[:7]:                                       "branch or tag",
		"docker://ghcr.io/org/model:3":                                       "tag of an image",
		"ghcr.io/org/model:3":                                                "tag of an image",
		"localhost:5000/model:3":                                             "tag of an image",
		"model:latest":                                                       "tag of an image",
		"ghcr.io/org/model@" + digest:                                        "",
		"oci://ghcr.io/org/model:3@" + digest:                                "",
		"oci://ghcr.io/org/model:3@" + digest[:40]:                           "tag of an image",
		"git+https://host/o/m.git@main":                                      "branch or tag",
		"git+https://host/o/m.git@" + commit:                                 "",
		"git::https://host/o/m.git?ref=" + commit:                            "",
		"git@host:o/m.git":                                                   "branch or tag",
		"git://host/o/m.git#" + commit:                                       "",
		"wandb-artifact://org/project/model:v3":                              "",
		"wandb-artifact://org/project/model:best":                            "alias",
		"ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi": "",
		"/models/fraud.pkl":                                                  "file",
		`C:\models\fraud.pkl`:                                                "file",
		"./fraud.pkl":                                                        "file",
		"file:///fraud.pkl":                                                  "storage can be written",
		"acme://x/latest":                                                    "latest",
		"acme://x:latest":                                                    "latest",
		"acme://x/7":                                                         "",
	} {
		t.Run(source, func(t *testing.T) {
			v := declare(t, "model_version", fmt.Sprintf(`{"model":"fraud","source":%q}`, source), nil)
			judge := func(v cty.Value) []spec.Finding {
				report, err := evaluate.Object(kindOf(t, "model_version"), v, evaluate.Inputs{})
				if err != nil || !slices.Contains(report.Judged, "registry/mutable-source") {
					t.Fatal(report.Judged, err)
				}
				return ofRule(report.Findings, "registry/mutable-source")
			}
			found := judge(v)
			switch {
			case says == "" && len(found) > 0:
				t.Errorf("found %s", render(found))
			case says != "" && (len(found) != 1 || !strings.Contains(found[0].Detail, says)):
				t.Errorf("found %s, want %q", render(found), says)
			}
			// What every message offers as the way out.
			if found := judge(spec.Overlay(v, map[string]cty.Value{"digest": cty.StringVal(digest)})); len(found) > 0 {
				t.Errorf("with a digest: %s", render(found))
			}
		})
	}
}
