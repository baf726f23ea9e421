package mlflow

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// always answers every request alike.
type always struct {
	status int
	body   string
}

func (a always) RoundTrip(request *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: a.status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(a.body)), Request: request}, nil
}

// Whatever is at the tracking URI, the registry gives an object that was asked for, or
// an error in the port's words.
func FuzzAnswers(f *testing.F) {
	const model = `{"registered_model":{"name":"fraud","creation_timestamp":1,"last_updated_timestamp":2,"description":"d","tags":[{"key":"mlops.attributes","value":"{}"},{"key":"team","value":"risk"}],"aliases":[{"alias":"champion","version":"1"}]}}`
	const version = `{"model_version":{"name":"fraud","version":"1","creation_timestamp":1,"source":"s3://b/k","run_id":"r","tags":[{"key":"mlops.attributes","value":"x"}],"aliases":["champion"]}}`
	for _, body := range []string{
		model, version, `{"registered_models":[null],"next_page_token":"x"}`, `{"model_versions":[null],"next_page_token":"x"}`, `{"registered_models":[{"name":"fraud"},{"name":"fraud","aliases":[{}]}]}`,
		`{"model_versions":[{"name":"fraud","version":"0"},{"name":"other","version":"-1"}]}`, `{"registered_model":null}`, `{"model_version":{"version":1}}`,
		`{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"none"}`, `{"error_code":"RESOURCE_ALREADY_EXISTS"}`, `null`, `[]`, `<html>`, ``,
	} {
		f.Add(200, body)
		f.Add(404, body)
		f.Add(400, body)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return // no transport passes that on
		}
		server, err := newTransport(Options{TrackingURI: "http://x.invalid"})
		if err != nil {
			t.Fatal(err)
		}
		server.http.RetryMax, server.http.HTTPClient.Transport = 0, always{status, body}
		server.http.Logger = nil
		r := &Registry{server: server}
		ctx := t.Context()
		attributes := map[string]string{
			port.RegisteredModel: `{"name":"fraud"}`, port.ModelVersion: `{"model":"fraud","source":"s3://b/k"}`, port.ModelAlias: `{"model":"fraud","alias":"champion","version":1}`,
		}
		check := func(what string, kind string, o *port.Object, err error) {
			t.Helper()
			switch {
			case err != nil && port.CodeOf(err) == "":
				t.Errorf("%s %s: %v is not in the port's words, of %d %s", what, kind, err, status, body)
			case err == nil && o != nil && (o.Kind != kind || o.ID == "" || o.ETag == "" || len(o.Attributes) == 0):
				t.Errorf("%s %s: %+v of %d %s", what, kind, o, status, body)
			}
		}
		for kind, id := range map[string]string{port.RegisteredModel: "fraud", port.ModelVersion: "fraud/1", port.ModelAlias: "fraud/champion"} {
			ref := port.Ref{Kind: kind, ID: id}
			o, err := r.Get(ctx, ref)
			check("Get", kind, &o, err)
			if err == nil && o.ID != id {
				t.Errorf("asked for %s, and got %s of %s", id, o.ID, body)
			}
			for _, page := range []port.PageRequest{{Size: 10}, {Size: 10, Token: "x"}} {
				list, err := r.List(ctx, kind, "", page)
				check("List", kind, nil, err)
				for i := range list.Objects {
					check("List", kind, &list.Objects[i], nil)
				}
			}
			_, err = r.Unacknowledged(ctx, kind, "fraud")
			check("Unacknowledged", kind, nil, err)
			w := port.Write{Ref: ref, Attributes: []byte(attributes[kind]), Model: "fraud", If: port.IfPresent()}
			if kind == port.ModelAlias {
				w.Version = 1
			}
			o, err = r.Put(ctx, w)
			check("Put", kind, &o, err)
			_, err = r.Delete(ctx, port.Delete{Ref: ref, If: port.IfPresent()})
			check("Delete", kind, nil, err)
		}
		o, err := r.Add(ctx, port.Addition{Kind: port.ModelVersion, Model: "fraud", Attributes: []byte(attributes[port.ModelVersion]), Once: port.Once{Key: "k", Request: "r"}})
		check("Add", port.ModelVersion, &o, err)
		check("Ready", "", nil, r.Ready(ctx))
	})
}
