package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// Ref names an object: its kind, such as drift_monitor, and its name path, such
// as fraud_detector/score.
type Ref struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// Object is an object as the control plane keeps it.
type Object struct {
	Kind string `json:"kind"`
	// ID is the name path.
	ID string `json:"id"`
	// UID changes when somebody deletes and re-creates the object.
	UID string `json:"uid"`
	// Generation counts the writes.
	Generation int64 `json:"generation"`
	// ETag is the revision, quotes included; pass it to Update and Delete.
	ETag      string    `json:"etag"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// Attributes is JSON as spec.Kind.DecodeJSON reads it, number texts kept.
	Attributes json.RawMessage `json:"attributes"`
}

// pageSize is what List asks for: the most that the API gives.
const pageSize = 1000

type putBody struct {
	Attributes json.RawMessage `json:"attributes"`
}

// Get reads an object. [IsNotFound] tells that it does not exist.
func (c *Client) Get(ctx context.Context, kind, id string) (*Object, error) {
	a, err := c.do(ctx, http.MethodGet, objectPath(kind, id), nil, nil)
	return objectOf(a, err)
}

// Create makes an object that must not be there. [IsAlreadyExists] tells that
// one is: perhaps the caller's own from an attempt whose answer was lost, which
// only reading and comparing can tell.
func (c *Client) Create(ctx context.Context, kind, id string, attributes json.RawMessage) (*Object, error) {
	defer c.ahead.forget()
	a, err := c.do(ctx, http.MethodPut, objectPath(kind, id), http.Header{"If-None-Match": {"*"}}, putBody{attributes})
	return objectOf(a, err)
}

// Update replaces the revision that etag names. [IsETagMismatch] tells that the
// object is no longer that revision, [IsNotFound] that it is gone.
//
// When an attempt's answer was lost and the next one finds a newer revision with
// exactly these attributes, that one is the answer.
func (c *Client) Update(ctx context.Context, kind, id, etag string, attributes json.RawMessage) (*Object, error) {
	if etag == "" {
		return nil, errNoETag
	}
	defer c.ahead.forget()
	a, err := c.do(ctx, http.MethodPut, objectPath(kind, id), http.Header{"If-Match": {etag}}, putBody{attributes})
	if IsETagMismatch(err) && a.repeated {
		if current, readErr := c.Get(ctx, kind, id); readErr == nil && sameJSON(current.Attributes, withoutSecrets(kind, attributes)) {
			return current, nil
		}
	}
	return objectOf(a, err)
}

// DeleteOption changes what Delete does.
type DeleteOption func(url.Values)

// Cascade also deletes what an external registry keeps under a registered model,
// such as its versions. Without it, those stand in the way.
func Cascade() DeleteOption { return func(query url.Values) { query.Set("cascade", "true") } }

// Delete removes the revision that etag names. [IsNotFound] tells that there was
// nothing to remove.
func (c *Client) Delete(ctx context.Context, kind, id, etag string, options ...DeleteOption) error {
	if etag == "" {
		return errNoETag
	}
	query := url.Values{}
	for _, option := range options {
		option(query)
	}
	path := objectPath(kind, id)
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	defer c.ahead.forget()
	_, err := c.do(ctx, http.MethodDelete, path, http.Header{"If-Match": {etag}}, nil)
	return err
}

var errNoETag = errors.New("no ETag: read the object first, and pass the revision that was read")

// List reads all objects of a kind, page by page, by id. The sequence ends with
// the first error.
func (c *Client) List(ctx context.Context, kind string) iter.Seq2[*Object, error] {
	return func(yield func(*Object, error) bool) {
		for token := ""; ; {
			items, next, err := c.page(ctx, kind, token)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, object := range items {
				if !yield(object, nil) {
					return
				}
			}
			if token = next; token == "" {
				return
			}
		}
	}
}

// page reads one page of the objects of a kind, and the token of the next one.
func (c *Client) page(ctx context.Context, kind, token string) ([]*Object, string, error) {
	query := url.Values{"page_size": {strconv.Itoa(pageSize)}}
	if token != "" {
		query.Set("page_token", token)
	}
	a, err := c.do(ctx, http.MethodGet, "/v1/"+url.PathEscape(kind)+"?"+query.Encode(), nil, nil)
	var page struct {
		Items []*Object `json:"items"`
		Next  string    `json:"next_page_token"`
	}
	if err == nil {
		err = decode(a, &page)
	}
	if err == nil && page.Next != "" && page.Next == token {
		err = fmt.Errorf("listing %s: the server gives the same page again", kind)
	}
	return page.Items, page.Next, err
}

// BatchResult is what was found for one reference: an object or an error, for
// instance one that [IsNotFound] knows.
type BatchResult struct {
	Ref    Ref
	Object *Object
	Err    error
}

// maxBatch is the most references that one request may have.
const maxBatch = 1000

// BatchGet reads many objects, in the order of the references. Each is read by
// itself: together they are no snapshot.
func (c *Client) BatchGet(ctx context.Context, refs []Ref) ([]BatchResult, error) {
	results := make([]BatchResult, 0, len(refs))
	for len(refs) > 0 {
		part := refs[:min(len(refs), maxBatch)]
		refs = refs[len(part):]
		a, err := c.do(ctx, http.MethodPost, "/v1/resources:batchGet", nil, struct {
			Refs []Ref `json:"refs"`
		}{part})
		var batch struct {
			Results []struct {
				Ref
				Status int      `json:"status"`
				Object *Object  `json:"object"`
				Error  *problem `json:"error"`
			} `json:"results"`
		}
		if err == nil {
			err = decode(a, &batch)
		}
		if err == nil && len(batch.Results) != len(part) {
			err = fmt.Errorf("asked for %d objects, and got answers for %d", len(part), len(batch.Results))
		}
		if err != nil {
			return nil, err
		}
		for i, r := range batch.Results {
			result := BatchResult{Ref: part[i], Object: r.Object}
			switch {
			case r.Error != nil:
				result.Err = &Error{Status: r.Status, Code: r.Error.Code, Detail: r.Error.Detail, FieldViolations: r.Error.FieldViolations, Blocking: r.Error.Blocking}
			case r.Object == nil:
				result.Err = fmt.Errorf("the answer for %s %s has neither an object nor an error", part[i].Kind, part[i].ID)
			}
			results = append(results, result)
		}
	}
	return results, nil
}

// Store identifies the store behind the control plane.
type Store struct {
	// ID is made with the store and never changes; empty while there is none.
	ID string `json:"id"`
	// Registry is where registered models live: sqlite or mlflow.
	Registry string `json:"registry"`
	// Exists is false until the first write.
	Exists bool `json:"exists"`
}

// Store tells which store answers. Where it is not the one an object was written
// to, the object's absence says nothing.
func (c *Client) Store(ctx context.Context) (*Store, error) {
	a, err := c.do(ctx, http.MethodGet, "/v1/store", nil, nil)
	if err != nil {
		return nil, err
	}
	var store Store
	if err := decode(a, &store); err != nil {
		return nil, err
	}
	return &store, nil
}

func objectPath(kind, id string) string {
	segments := strings.Split(id, "/")
	for i, segment := range segments {
		segments[i] = url.PathEscape(segment)
	}
	return "/v1/" + url.PathEscape(kind) + "/" + strings.Join(segments, "/")
}

func objectOf(a *answer, err error) (*Object, error) {
	if err != nil {
		return nil, err
	}
	var object Object
	if err := decode(a, &object); err != nil {
		return nil, err
	}
	if object.Kind == "" || object.UID == "" || len(object.Attributes) == 0 {
		return nil, &Error{Status: a.status, Detail: "The answer is not the control plane's: it is no object. Is the endpoint right?"}
	}
	if etag := a.header.Get("ETag"); etag != "" {
		object.ETag = etag
	}
	return &object, nil
}

// withoutSecrets is what the control plane answers for attributes: what is write-only
// is null there. Whoever sends a secret declares its version, which is compared.
func withoutSecrets(name string, attributes json.RawMessage) json.RawMessage {
	kind, ok := spec.ByName(name)
	if !ok {
		return attributes
	}
	v, err := kind.DecodeJSON(attributes)
	if err != nil || len(kind.Secrets(v)) == 0 {
		return attributes
	}
	masked, err := kind.EncodeJSON(kind.WithoutSecrets(v))
	if err != nil {
		return attributes
	}
	return masked
}

// sameJSON compares documents but for white space.
func sameJSON(a, b json.RawMessage) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}
