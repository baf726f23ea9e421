package spec

import (
	"fmt"
	"net/url"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/zclconf/go-cty/cty"
)

// NotificationChannel is where alerts go.
type NotificationChannel struct {
	Name         Value[string]          `cty:"name"`
	Webhook      Value[Webhook]         `cty:"webhook"`
	Alertmanager Value[Alertmanager]    `cty:"alertmanager"`
	Severities   Value[[]Value[string]] `cty:"severities"`
	Waivers      Value[[]Value[Waiver]] `cty:"waivers"`
	ID           Value[string]          `cty:"id"`
	UID          Value[string]          `cty:"uid"`
}

// Webhook is an address that alerts are posted to.
type Webhook struct {
	URL             Value[string]  `cty:"url"`
	SecretWO        Value[string]  `cty:"secret_wo"`
	SecretWOVersion Value[float64] `cty:"secret_wo_version"`
}

// Alertmanager is Prometheus's own router of alerts.
type Alertmanager struct {
	URL Value[string] `cty:"url"`
}

// severities are what an alert can do, the gravest first.
var severities = []string{"page", "ticket", "info"}

var notificationChannel = &Kind{
	Name: "notification_channel", Family: "monitoring", Key: []string{"name"}, Fields: NotificationChannel{},
	Schema: schema.Schema{
		MarkdownDescription: "Where alerts go: a webhook or an Alertmanager, and which severities it takes. A channel belongs to no model.",
		Attributes: withCommon(map[string]schema.Attribute{
			"name": keyString("The channel's name."),
			"webhook": schema.SingleNestedAttribute{
				Optional: true, MarkdownDescription: "An address that alerts are posted to. Exactly one of `webhook` and `alertmanager` is set.",
				Attributes: map[string]schema.Attribute{
					"url":               requiredString("The address. It is no secret: it stands in plans and states."),
					"secret_wo":         secretString("The secret that goes with each post as a bearer token. Give it by an ephemeral variable, never as text in a file."),
					"secret_wo_version": secretVersion("secret_wo"),
				},
			},
			"alertmanager": schema.SingleNestedAttribute{
				Optional: true, MarkdownDescription: "An Alertmanager, which does its own routing.",
				Attributes: map[string]schema.Attribute{
					"url": requiredString("Its base address."),
				},
			},
			"severities": schema.ListAttribute{
				Required: true, ElementType: types.StringType,
				MarkdownDescription: "The severities of the alerts it takes: `page`, `ticket`, `info`. Alerts that name the channel go to it whatever their severity.",
			},
		}),
	},
	Constraints: withCommonConstraints(map[string][]Constraint{
		"name":                      {objectName()},
		"webhook.url":               {plainAddress()},
		"webhook.secret_wo":         {hidden(notBlank()), hidden(atMostBytes(5000))},
		"webhook.secret_wo_version": {wholeNumber(), between(from(1), upTo(1e15))},
		"alertmanager.url":          {plainAddress()},
		"severities":                {notEmptyList(), each(oneOf(severities...)), noneTwice()},
	}),
	Together: func(v cty.Value) []Finding {
		c := mustDecode[NotificationChannel](v)
		findings := exactlyOne(v, nil, "webhook", "alertmanager")
		if w := c.Webhook.Fields(); c.Webhook.IsKnown() && w.SecretWO.IsKnown() && w.SecretWOVersion.IsNull() {
			findings = append(findings, Invalid(w.SecretWOVersion.Path(), cty.NilVal, "a secret needs a version: nothing else tells that it has changed", "Set secret_wo_version to 1."))
		}
		return findings
	},
}

// plainAddress accepts an address that has no user or password in it, which would
// stand in plans and states.
func plainAddress() Constraint {
	address := webAddress()
	return Constraint{
		Describe: "An http or https URL without user and password.", Hide: true,
		Check: func(v cty.Value) (string, string) {
			if u, err := url.Parse(v.AsString()); err == nil && u.User != nil {
				return "has a user or a password in it, which would stand in every plan and state",
					fmt.Sprintf("Write %q, and give the secret as secret_wo.", (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String())
			}
			return address.Check(v)
		},
	}
}

// hidden is the constraint that does not show the value.
func hidden(c Constraint) Constraint {
	c.Hide = true
	return c
}
