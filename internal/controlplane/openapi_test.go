package controlplane_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"sigs.k8s.io/yaml"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

//go:generate go test -run ^TestTheDocumentDescribesTheKinds$ -count=1 . -update

var update = flag.Bool("update", false, "rewrite the generated parts of spec/openapi.yaml")

// The parts of files that follow from the kinds and the handler, by their markers.
var generated = []struct {
	file, begin, end string
	text             func(t *testing.T) string
}{
	{"spec/openapi.yaml", ": begin paths\n", "  # Generated: end paths\n", asYAML("  ", kindPaths)},
	{"spec/openapi.yaml", ": begin schemas\n", "    # Generated: end schemas\n", asYAML("    ", kindSchemas)},
	{"docs/api.md", ": begin routes -->\n", "<!-- Generated: end routes -->\n", routeTable},
	{"docs/api.md", ": begin codes -->\n", "<!-- Generated: end codes -->\n", codeTable},
}

func TestTheDocumentDescribesTheKinds(t *testing.T) {
	for _, part := range generated {
		path := filepath.Join("..", "..", filepath.FromSlash(part.file))
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		before := string(data)
		head, rest, begins := strings.Cut(before, part.begin)
		_, tail, ends := strings.Cut(rest, part.end)
		if !begins || !ends {
			t.Fatalf("%s has lost its markers %q and %q", part.file, part.begin, part.end)
		}
		after := head + part.begin + part.text(t) + part.end + tail
		if *update {
			if err := os.WriteFile(path, []byte(after), 0o644); err != nil { //nolint:gosec // a source file
				t.Fatal(err)
			}
		} else if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("%s is out of date (go generate ./internal/controlplane):\n%s", part.file, diff)
		}
	}
}

func asYAML(indent string, of func() map[string]any) func(*testing.T) string {
	return func(t *testing.T) string {
		text, err := yaml.Marshal(of())
		if err != nil {
			t.Fatal(err)
		}
		var block strings.Builder
		for line := range strings.Lines(string(text)) {
			if strings.TrimSpace(line) != "" {
				block.WriteString(indent)
			}
			block.WriteString(line)
		}
		return block.String()
	}
}

// routeTable lists what the document, as it is on the disk, describes.
func routeTable(t *testing.T) string {
	data, err := os.ReadFile(filepath.Join("..", "..", "spec", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := yaml.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	table := "| path | methods |\n|---|---|\n"
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		var uses []string
		for _, method := range []string{"get", "put", "post", "delete"} {
			var operation struct {
				Summary string `json:"summary"`
			}
			if raw, ok := doc.Paths[path][method]; ok {
				if err := json.Unmarshal(raw, &operation); err != nil {
					t.Fatal(err)
				}
				uses = append(uses, "`"+strings.ToUpper(method)+"` "+strings.ToLower(operation.Summary[:1])+operation.Summary[1:])
			}
		}
		table += "| `" + path + "` | " + strings.Join(uses, "; ") + " |\n"
	}
	return table
}

func codeTable(*testing.T) string {
	table := "| code | status |\n|---|---|\n"
	for _, code := range controlplane.Codes() {
		status := fmt.Sprint(controlplane.StatusOf(code))
		if code == "INVALID_ARGUMENT" {
			status = "400; 422 where attributes are at fault"
		}
		table += "| `" + code + "` | " + status + " |\n"
	}
	return table
}

// schemaName is a kind's name in the document: DriftMonitor.
func schemaName(kind *spec.Kind) string {
	var out strings.Builder
	for word := range strings.SplitSeq(kind.Name, "_") {
		out.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return out.String()
}

func reference(section, name string) map[string]any {
	return map[string]any{"$ref": "#/components/" + section + "/" + name}
}

// problems are the answers to failures, by status.
var problems = map[string]string{
	"400": "BadRequest", "401": "Unauthenticated", "403": "PermissionDenied", "429": "RateLimited", "404": "NotFound", "406": "NotAcceptable", "409": "Conflict",
	"412": "PreconditionFailed", "413": "PayloadTooLarge", "415": "UnsupportedMediaType", "422": "Unprocessable",
	"428": "PreconditionRequired", "5XX": "ServerError",
}

func responses(statuses ...string) map[string]any {
	out := map[string]any{}
	for _, status := range append(statuses, "400", "401", "403", "406", "429", "5XX") {
		out[status] = reference("responses", problems[status])
	}
	return out
}

// examples are attributes of each kind, such as a policy that passes has them.
var examples = map[string]string{
	"registered_model": `{"name":"fraud","owner":"risk-ml","risk":"high","tags":{"team":"risk"},"deletion_policy":"prevent"}`,
	"baseline": `{"model":"fraud","name":"score",
		"bins":[{"upper":0.1,"count":800},{"upper":0.5,"count":150},{"count":50}],
		"profile":{"name":"score","bins":3,"samples":1000,"shares":[0.8,0.15,0.05]}}`,
	"model_version": `{"model":"fraud","source":"runs:/0f3c5b7a9d1e4c2f8a6b0d9e7c5f3a1b/model","metrics":{"roc_auc":0.931},
		"gates":[{"metric":"roc_auc","minimum":0.92,"test_samples":40000,"prevalence":0.05}]}`,
	"model_alias": `{"model":"fraud","alias":"champion","version":1,"reason":"better on recent months"}`,
	"performance_monitor": `{"model":"fraud","name":"auc","metric":"auc","baseline_value":0.9,"tolerance":0.04,"prevalence":0.1,
		"labels":{"delay":"48h","requests_per_second":0.05,"labelled_share":0.2},"window":{"duration":"7d"},"schedule":{"every":"1d"}}`,
	"service_monitor": `{"model":"fraud","name":"p99","metric":"latency","quantile":0.99,"baseline_value":0.25,"log_std_dev":0.5,
		"window":{"duration":"10m","requests_per_second":10},"schedule":{"every":"10m"}}`,
	"drift_monitor": `{"model":"fraud","name":"score","feature":"score","metric":"psi",
		"baseline":{"name":"score","bins":3,"samples":1000},
		"window":{"duration":"1h","samples":500},"schedule":{"every":"1h"}}`,
	"notification_channel": `{"name":"ops","webhook":{"url":"https://hooks.example.com/ops","secret_wo":"from-a-vault","secret_wo_version":1},"severities":["page","ticket"]}`,
	"alert_threshold": `{"model":"fraud","name":"score-drift",
		"signal":{"kind":"data_drift","metric":"psi","model":"fraud","monitor":"score","bins":3,"baseline_samples":1000,"window_samples":500,"window_seconds":3600,"every_seconds":3600},
		"operator":">","value":0.1,"for":"0s","severity":"ticket","owner":"risk-ml","runbook_url":"https://runbooks.example.com/score-drift","false_alarms_per_30d":1}`,
	"rollout_policy": `{"model":"fraud","name":"canary","risk":"high","traffic":{"requests_per_second":40},
		"stages":[{"name":"canary","kind":"canary","traffic_percent":5,"duration":"2h"},{"name":"full","kind":"full","traffic_percent":100}],
		"guardrails":[{"name":"errors","metric":"error_rate","baseline_rate":0.005,"maximum":0.01,"every":"5m","failure_limit":3}]}`,
}

func exampleOf(kind *spec.Kind) map[string]any {
	var out map[string]any
	if err := json.Unmarshal([]byte(examples[kind.Name]), &out); err != nil {
		panic(fmt.Sprintf("an example of a %s for spec/openapi.yaml: %v", kind.Name, err))
	}
	return out
}

func TestTheDocumentsExamplesAreAccepted(t *testing.T) {
	handler := handlerOver(t, filepath.Join(t.TempDir(), "mlops.db"))
	for _, kind := range spec.All() {
		example := exampleOf(kind)
		path := "/v1/" + kind.Name
		method, header := "PUT", "If-None-Match: *"
		for _, key := range kind.Key {
			if key == kind.Numbered {
				method, header = "POST", "Idempotency-Key: example"
				continue
			}
			path += "/" + fmt.Sprint(example[key])
		}
		body, err := json.Marshal(map[string]any{"attributes": example})
		if err != nil {
			t.Fatal(err)
		}
		if answer := ask(t, handler, method, path, header, string(body)); answer.Code != http.StatusCreated {
			t.Errorf("%s: %d %s", kind.Name, answer.Code, answer.Body)
		}
	}
}

func kindPaths() map[string]any {
	paths := map[string]any{}
	for _, kind := range spec.All() {
		name := schemaName(kind)
		attributes := kind.JSONSchema()["properties"].(map[string]any)
		// names are those of an object; anywhere are names to look under, where any
		// name is right, and finds nothing.
		var names, anywhere []any
		followers := map[string]any{}
		for _, key := range kind.Key {
			schema := map[string]any{"type": "integer", "minimum": 1, "maximum": math.MaxInt32, "description": kind.Description(kind.Numbered)}
			if key != kind.Numbered {
				schema = maps.Clone(attributes[key].(map[string]any))
			}
			description := schema["description"]
			delete(schema, "description")
			names = append(names, map[string]any{"name": key, "in": "path", "required": true, "description": description, "schema": schema})
			if key != kind.Numbered {
				schema = map[string]any{"type": "string", "minLength": 1}
			}
			anywhere = append(anywhere, map[string]any{"name": key, "in": "path", "required": true, "description": description, "schema": schema})
			followers["path."+key] = "$request.path." + key
		}
		answer := func(description string) map[string]any {
			return map[string]any{
				"description": description,
				"headers":     map[string]any{"ETag": reference("headers", "ETag"), "X-Request-Id": reference("headers", "RequestId")},
				"content":     map[string]any{"application/json": map[string]any{"schema": reference("schemas", name)}},
			}
		}
		// linked is an answer with what can be done next with the object in it.
		linked := func(description string) map[string]any {
			links := map[string]any{}
			for _, next := range []string{"get", "replace", "delete"} {
				parameters := maps.Clone(followers)
				operation := next + name
				switch next {
				case "replace":
					operation = "put" + name
					parameters["header.If-Match"] = "$response.header.ETag"
				case "delete":
					parameters["header.If-Match"] = "$response.header.ETag"
				}
				links[next] = map[string]any{"operationId": operation, "parameters": parameters}
			}
			out := answer(description)
			out["links"] = links
			return out
		}
		operation := func(id, summary string, parameters []any, answers map[string]any, statuses ...string) map[string]any {
			all := responses(statuses...)
			maps.Copy(all, answers)
			out := map[string]any{"operationId": id, "tags": []string{"objects"}, "summary": summary, "responses": all}
			if len(parameters) > 0 {
				out["parameters"] = parameters
			}
			return out
		}
		ways := []any{reference("parameters", "IfNoneMatchToCreate"), reference("parameters", "IfMatchToReplace"), reference("parameters", "IdempotencyKey")}
		answers := map[string]any{"200": linked("The revision that replaced another."), "201": linked("The object was created.")}
		summary := "Create or replace"
		if kind.Numbered != "" { // created by POST, which numbers it
			ways, summary = []any{reference("parameters", "IfMatch"), reference("parameters", "IdempotencyKey")}, "Replace"
			delete(answers, "201")
		}
		put := operation("put"+name, summary, ways, answers, "404", "409", "412", "413", "415", "422", "428")
		put["requestBody"] = map[string]any{"required": true, "content": map[string]any{"application/json": map[string]any{"schema": map[string]any{
			"type": "object", "additionalProperties": false, "required": []string{"attributes"},
			"properties": map[string]any{"attributes": reference("schemas", name+"Attributes")},
		}, "example": map[string]any{"attributes": exampleOf(kind)}}}}
		removeParameters := []any{reference("parameters", "IfMatch")}
		if kind.Name == "registered_model" {
			removeParameters = append(removeParameters, map[string]any{
				"name": "cascade", "in": "query", "schema": map[string]any{"type": "boolean", "default": false},
				"description": "Also delete the model's versions and aliases. Policies always stand in the way.",
			})
		}
		page := map[string]any{
			"description": "A page.",
			"headers":     map[string]any{"X-Request-Id": reference("headers", "RequestId")},
			"content":     map[string]any{"application/json": map[string]any{"schema": reference("schemas", name+"Page")}},
		}
		items := func(schema string) map[string]any {
			out := maps.Clone(page)
			out["content"] = map[string]any{"application/json": map[string]any{"schema": reference("schemas", schema)}}
			return out
		}
		named := "/v1/" + kind.Name + "/{" + strings.Join(kind.Key, "}/{") + "}"
		if kind.Numbered != "" {
			under := strings.TrimSuffix(named, "/{"+kind.Numbered+"}")
			added := answer("The object was added, by this request or by one before with its key.")
			added["headers"].(map[string]any)["Location"] = reference("headers", "Location") //nolint:forcetypeassert // made above
			add := operation("add"+name, "Add the next one", []any{reference("parameters", "IdempotencyKeyToAdd")}, map[string]any{"201": added}, "409", "413", "415", "422")
			add["description"] = "The control plane gives the number. The key is needed: it tells a second attempt from a second object."
			add["requestBody"] = put["requestBody"]
			paths[under] = map[string]any{
				"parameters": anywhere[:len(anywhere)-1],
				"get": operation("list"+name+"Under", "List those of one model", []any{reference("parameters", "PageSize"), reference("parameters", "PageToken")},
					map[string]any{"200": page}),
				"post": add,
			}
			waiting := operation("unacknowledged"+name, "List what was added and not acknowledged", nil, map[string]any{"200": items("AddedList")})
			waiting["description"] = "Of the last 24 hours, oldest first. Whoever died before it kept the answer finds by its key what it added."
			paths[strings.Replace(under, "/v1/", "/v1/unacknowledged/", 1)] = map[string]any{"parameters": anywhere[:len(anywhere)-1], "get": waiting}
			paths[strings.Replace(named, "/v1/", "/v1/unacknowledged/", 1)] = map[string]any{
				"parameters": anywhere,
				"delete":     operation("acknowledge"+name, "Say that the answer to an addition is kept", nil, map[string]any{"204": reference("responses", "Deleted")}),
			}
		}
		if kind.Name == "model_alias" {
			before := map[string]any{"name": "before", "in": "query", "schema": map[string]any{"type": "integer", "format": "int64", "minimum": 1}, "description": "The `seq` of the oldest move that is known."}
			history := operation("history"+name, "Read the moves, newest first", []any{before, reference("parameters", "PageSize")}, map[string]any{"200": items("MoveList")})
			history["description"] = "The history outlives the alias; of one that never was, it is empty."
			paths[named+"/history"] = map[string]any{"parameters": anywhere, "get": history}
		}
		paths["/v1/"+kind.Name] = map[string]any{
			"get": operation("list"+name, "List by id", []any{reference("parameters", "PageSize"), reference("parameters", "PageToken")}, map[string]any{
				"200": page,
			}),
		}
		paths[named] = map[string]any{
			"parameters": names,
			"get": operation("get"+name, "Read", []any{reference("parameters", "IfNoneMatchToRead")}, map[string]any{
				"200": linked("The object."), "304": reference("responses", "NotModified"),
			}, "404"),
			"put": put,
			"delete": operation("delete"+name, "Delete", removeParameters, map[string]any{
				"204": reference("responses", "Deleted"),
			}, "404", "409", "412", "428"),
		}
	}
	return paths
}

func kindSchemas() map[string]any {
	schemas := map[string]any{"Code": map[string]any{
		"type": "string", "description": "The stable name of what went wrong.", "enum": controlplane.Codes(),
	}}
	for _, kind := range spec.All() {
		name := schemaName(kind)
		schemas[name+"Attributes"] = kind.JSONSchema()
		schemas[name] = map[string]any{
			"description": "A " + kind.Name + " as it is kept.",
			"allOf": []any{reference("schemas", "Object"), map[string]any{"properties": map[string]any{
				"kind": map[string]any{"const": kind.Name}, "attributes": reference("schemas", name+"Attributes"),
			}}},
		}
		schemas[name+"Page"] = map[string]any{
			"type": "object", "required": []string{"items"},
			"properties": map[string]any{
				"items":           map[string]any{"type": "array", "maxItems": 1000, "items": reference("schemas", name)},
				"next_page_token": map[string]any{"type": "string", "minLength": 1, "description": "The token of the next page; absent on the last one."},
			},
		}
	}
	return schemas
}

var document = sync.OnceValues(func() (libopenapi.Document, error) { return libopenapi.NewDocument(spec.OpenAPI) })

func TestTheDocumentAndTheHandlerAgree(t *testing.T) {
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	var described []string
	ids := map[string]string{}
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		for method, operation := range item.GetOperations().FromOldest() {
			described = append(described, strings.ToUpper(method)+" "+path)
			if other := ids[operation.OperationId]; other != "" || operation.OperationId == "" {
				t.Errorf("%s %s has no operationId of its own: %q is %s, too", method, path, operation.OperationId, other)
			}
			ids[operation.OperationId] = path
		}
	}
	slices.Sort(described)
	if diff := cmp.Diff(controlplane.Routes(), described); diff != "" {
		t.Errorf("spec/openapi.yaml and the handler's routes differ (-handler +document):\n%s", diff)
	}
}

func TestTheDocumentIsValid(t *testing.T) {
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(doc)
	for _, err := range errs {
		t.Fatal(err)
	}
	if ok, problems := v.ValidateDocument(); !ok {
		for _, problem := range problems {
			t.Errorf("%s: %s", problem.Message, problem.Reason)
			for _, at := range problem.SchemaValidationErrors {
				t.Errorf("  %s: %s", at.FieldPath, at.Reason)
			}
		}
	}
}

// answersOf validates answers by the document. One for all tests: it compiles
// every schema.
var answersOf = sync.OnceValues(func() (validator.Validator, error) {
	doc, err := document()
	if err != nil {
		return nil, err
	}
	v, errs := validator.NewValidator(doc)
	if len(errs) > 0 {
		return nil, errs[0]
	}
	return v, nil
})

// checkDocumented holds an answer against the document, unless the request was
// for something that is not in it.
func checkDocumented(t *testing.T, request *http.Request, answer *httptest.ResponseRecorder) {
	t.Helper()
	v, err := answersOf()
	if err != nil {
		t.Fatal(err)
	}
	var p struct{ Code string }
	_ = yaml.Unmarshal(answer.Body.Bytes(), &p)
	switch p.Code {
	case "UNKNOWN_ROUTE", "UNKNOWN_KIND", "METHOD_NOT_ALLOWED":
		return
	}
	if answer.Code == http.StatusNotModified || request.Method == http.MethodHead {
		return
	}
	if ok, problems := v.ValidateHttpResponse(request, answer.Result()); !ok {
		for _, problem := range problems {
			if problem.ValidationType == "path" {
				return // a malformed address
			}
			t.Errorf("%s %s: %d %s: %s: %s", request.Method, request.URL, answer.Code, answer.Body, problem.Message, problem.Reason)
			for _, at := range problem.SchemaValidationErrors {
				t.Errorf("  %s: %s", at.FieldPath, at.Reason)
			}
		}
	}
}

func TestTheServerGivesTheDocument(t *testing.T) {
	handler := handlerOver(t, filepath.Join(t.TempDir(), "mlops.db"))
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest("GET", "http://x/v1/openapi.yaml", nil))
	if answer.Code != 200 || answer.Header().Get("Content-Type") != "application/yaml" || !bytes.Equal(answer.Body.Bytes(), spec.OpenAPI) {
		t.Errorf("%d %v %s", answer.Code, answer.Header(), fmt.Sprintf("%.200s", answer.Body))
	}
}
