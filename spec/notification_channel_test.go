package spec_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

func declared(t *testing.T, kind, text string) (*spec.Kind, cty.Value) {
	t.Helper()
	k, ok := spec.ByName(kind)
	if !ok {
		t.Fatalf("there is no kind %q", kind)
	}
	v, err := k.DecodeJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return k, k.ApplyDefaults(v)
}

func TestAChannelThatCanNeverBeValid(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want string // rule, path and the beginning of the reason; empty where it is valid
	}{
		"a webhook":                          {`{"name":"a","severities":["page"],"webhook":{"url":"https://x/y"}}`, ""},
		"an Alertmanager":                    {`{"name":"a","severities":["page","ticket","info"],"alertmanager":{"url":"http://x"}}`, ""},
		"a webhook with a secret":            {`{"name":"a","severities":["page"],"webhook":{"url":"https://x","secret_wo":"s","secret_wo_version":1}}`, ""},
		"a version alone, as in every state": {`{"name":"a","severities":["page"],"webhook":{"url":"https://x","secret_wo_version":1}}`, ""},
		"neither":                            {`{"name":"a","severities":["page"]}`, "meta/invalid-value webhook: exactly one of"},
		"both":                               {`{"name":"a","severities":["page"],"webhook":{"url":"https://x"},"alertmanager":{"url":"http://x"}}`, "meta/invalid-value alertmanager: exactly one of"},
		"no severity":                        {`{"name":"a","severities":[],"alertmanager":{"url":"http://x"}}`, "meta/invalid-value severities: needs at least one"},
		"an unknown severity":                {`{"name":"a","severities":["page","tickets"],"alertmanager":{"url":"http://x"}}`, `meta/invalid-value severities: the element 1 is "tickets", and it must be one of`},
		"a severity twice":                   {`{"name":"a","severities":["page","page"],"alertmanager":{"url":"http://x"}}`, `meta/invalid-value severities: "page" is there twice`},
		"a null severity":                    {`{"name":"a","severities":[null],"alertmanager":{"url":"http://x"}}`, "meta/invalid-value severities: the element 0 is null"},
		"no address":                         {`{"name":"a","severities":["page"],"webhook":{}}`, "meta/missing-attribute webhook.url is required"},
		"an address that is none":            {`{"name":"a","severities":["page"],"webhook":{"url":"hooks.example.com"}}`, "meta/invalid-value webhook.url: must be an http or https URL"},
		"an address with a password":         {`{"name":"a","severities":["page"],"webhook":{"url":"https://u:sesame@x"}}`, "meta/invalid-value webhook.url: has a user or a password"},
		"a broken address with a password":   {`{"name":"a","severities":["page"],"webhook":{"url":"https://u:sesame@x:y"}}`, "meta/invalid-value webhook.url: must be an http or https URL"},
		"a blank secret":                     {`{"name":"a","severities":["page"],"webhook":{"url":"https://x","secret_wo":"  ","secret_wo_version":1}}`, "meta/invalid-value webhook.secret_wo: cannot be empty"},
		"a secret without a version":         {`{"name":"a","severities":["page"],"webhook":{"url":"https://x","secret_wo":"sesame"}}`, "meta/invalid-value webhook.secret_wo_version: a secret needs a version"},
	} {
		t.Run(name, func(t *testing.T) {
			k, v := declared(t, "notification_channel", c.text)
			var got []string
			for _, f := range k.Check(v) {
				got = append(got, f.Rule+" "+f.Detail)
				if f.Fix == "" || strings.Contains(f.Detail+f.Fix, "sesame") {
					t.Errorf("no fix, or a secret in %+v", f)
				}
			}
			switch {
			case c.want == "" && len(got) > 0, c.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], c.want)):
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestAWaiverNeedsAReason(t *testing.T) {
	for name, waiver := range map[string]string{
		"none":  `{"rule":"alert/unrouted","expires":"2027-01-31"}`,
		"null":  `{"rule":"alert/unrouted","reason":null,"expires":"2027-01-31"}`,
		"blank": `{"rule":"alert/unrouted","reason":" \n","expires":"2027-01-31"}`,
	} {
		for _, kind := range spec.All() {
			k, v := declared(t, kind.Name, `{"waivers":[`+waiver+`]}`)
			var got []string
			for _, f := range k.Check(v) {
				if strings.HasPrefix(spec.PathString(f.Path), "waivers") {
					got = append(got, f.Rule+" "+spec.PathString(f.Path))
				}
			}
			if diff := cmp.Diff([]string{"meta/waiver-reason waivers[0].reason"}, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", kind.Name, name, diff)
			}
		}
	}
}

func TestSecretsAreFoundAndTakenOut(t *testing.T) {
	k, v := declared(t, "notification_channel", `{"name":"a","severities":["page"],"webhook":{"url":"https://x","secret_wo":"sesame","secret_wo_version":2}}`)
	secrets := k.Secrets(v)
	if len(secrets) != 1 || secrets[0].Name != "webhook.secret_wo" || secrets[0].Version != "2" || secrets[0].Value != "sesame" || secrets[0].Unknown {
		t.Fatalf("%+v", secrets)
	}
	masked := k.WithoutSecrets(v)
	if again := k.Secrets(masked); len(again) != 1 || again[0].Value != "" || again[0].Version != "2" {
		t.Errorf("%+v", again)
	}
	if back := k.WithSecret(masked, "webhook.secret_wo", "sesame"); !back.RawEquals(v) {
		t.Errorf("%#v", back)
	}
	_, none := declared(t, "notification_channel", `{"name":"a","severities":["page"],"alertmanager":{"url":"https://x"}}`)
	if found := k.Secrets(none); len(found) > 0 {
		t.Errorf("%+v", found)
	}
	webhook := spec.Overlay(v.GetAttr("webhook"), map[string]cty.Value{"secret_wo": cty.UnknownVal(cty.String), "secret_wo_version": cty.UnknownVal(cty.Number)})
	unknown := k.Secrets(spec.Overlay(v, map[string]cty.Value{"webhook": webhook}))
	if len(unknown) != 1 || !unknown[0].Unknown || unknown[0].Version != "" {
		t.Errorf("%+v", unknown)
	}
	for _, kind := range spec.All() {
		if found := kind.Secrets(cty.UnknownVal(kind.Type())); len(found) > 0 {
			t.Errorf("%s: %+v", kind.Name, found)
		}
	}
}
