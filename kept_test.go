package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

func open(ts *testscript.TestScript, file string) (*client.Client, func()) {
	handler, closer, err := controlplane.OpenEmbedded(file, controlplane.Options{})
	ts.Check(err)
	return client.NewEmbedded(handler), func() { _ = closer.Close() }
}

func kept(ts *testscript.TestScript, file string) []string {
	plane, done := open(ts, file)
	defer done()
	var out []string
	for _, kind := range spec.All() {
		for object, err := range plane.List(context.Background(), kind.Name) {
			ts.Check(err)
			out = append(out, kind.Name+" "+object.ID)
		}
	}
	return out
}

// listKept writes what the control plane's file keeps to stdout, a line an object:
// kept mlops.db.
func listKept(ts *testscript.TestScript, _ bool, args []string) {
	out := strings.Join(kept(ts, ts.MkAbs(args[0])), "\n")
	ts.Check(os.WriteFile(ts.MkAbs("output"), []byte(out+"\n"), 0o600))
}

// listAnswers writes what the API answers about the objects of a kind: answers mlops.db kind
func listAnswers(ts *testscript.TestScript, _ bool, args []string) {
	plane, done := open(ts, ts.MkAbs(args[0]))
	defer done()
	var out bytes.Buffer
	for object, err := range plane.List(context.Background(), args[1]) {
		ts.Check(err)
		encoded, err := json.Marshal(object)
		ts.Check(err)
		out.Write(append(encoded, '\n'))
	}
	ts.Check(os.WriteFile(ts.MkAbs("output"), out.Bytes(), 0o600))
}

// deleteKept deletes an object behind Terraform's back: forget mlops.db KIND ID.
func deleteKept(ts *testscript.TestScript, _ bool, args []string) {
	plane, done := open(ts, ts.MkAbs(args[0]))
	defer done()
	object, err := plane.Get(context.Background(), args[1], args[2])
	ts.Check(err)
	ts.Check(plane.Delete(context.Background(), args[1], args[2], object.ETag))
}

// listHistory writes the moves of an alias to output, newest first: history mlops.db
// MODEL/ALIAS.
func listHistory(ts *testscript.TestScript, _ bool, args []string) {
	plane, done := open(ts, ts.MkAbs(args[0]))
	defer done()
	var out strings.Builder
	for move, err := range plane.History(context.Background(), "model_alias", args[1]) {
		ts.Check(err)
		fmt.Fprintf(&out, "%s: %d -> %d %s\n", move.Who, move.From, move.To, move.Reason)
	}
	ts.Check(os.WriteFile(ts.MkAbs("output"), []byte(out.String()), 0o600))
}

// pointElsewhere moves an alias behind Terraform's back: point mlops.db MODEL ALIAS
// VERSION.
func pointElsewhere(ts *testscript.TestScript, _ bool, args []string) {
	plane, done := open(ts, ts.MkAbs(args[0]))
	defer done()
	id := args[1] + "/" + args[2]
	object, err := plane.Get(context.Background(), "model_alias", id)
	ts.Check(err)
	_, err = plane.As("mallory").Update(context.Background(), "model_alias", id, object.ETag,
		json.RawMessage(fmt.Sprintf(`{"model":%q,"alias":%q,"version":%s,"reason":"by hand","waivers":null}`, args[1], args[2], args[3])))
	ts.Check(err)
}

// rewriteKept writes an object anew behind Terraform's back, which makes it another
// revision, and may change an attribute: meddle mlops.db KIND ID [ATTRIBUTE JSON].
func rewriteKept(ts *testscript.TestScript, _ bool, args []string) {
	plane, done := open(ts, ts.MkAbs(args[0]))
	defer done()
	object, err := plane.Get(context.Background(), args[1], args[2])
	ts.Check(err)
	if len(args) > 3 {
		object.Attributes, err = withAttribute(object.Attributes, args[3], args[4])
		ts.Check(err)
	}
	_, err = plane.Update(context.Background(), args[1], args[2], object.ETag, object.Attributes)
	ts.Check(err)
}

// withAttribute is a document with one attribute set to a JSON value.
func withAttribute(document json.RawMessage, name, value string) (json.RawMessage, error) {
	var attributes map[string]json.RawMessage
	if err := json.Unmarshal(document, &attributes); err != nil {
		return nil, err
	}
	attributes[name] = json.RawMessage(value)
	return json.Marshal(attributes)
}

// registerVersion registers a version of a model as a CI pipeline does, without
// Terraform: register mlops.db MODEL SOURCE.
func registerVersion(ts *testscript.TestScript, _ bool, args []string) {
	plane, done := open(ts, ts.MkAbs(args[0]))
	defer done()
	object, err := plane.As("ci").Add(context.Background(), "model_version", args[1], rand.Text(),
		json.RawMessage(fmt.Sprintf(`{"model":%q,"source":%q,"deletion_policy":"prevent"}`, args[1], args[2])))
	ts.Check(err)
	ts.Check(plane.Acknowledge(context.Background(), "model_version", object.ID))
	ts.Check(os.WriteFile(ts.MkAbs("output"), []byte(object.ID+"\n"), 0o600))
}

// printKept writes the JSON that the control plane's file has of an object:
// attributes mlops.db KIND ID.
func printKept(ts *testscript.TestScript, _ bool, args []string) {
	plane, done := open(ts, ts.MkAbs(args[0]))
	defer done()
	object, err := plane.Get(context.Background(), args[1], args[2])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("output"), append(object.Attributes, '\n'), 0o600))
}
