package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
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
	return objectOf(a, err, kind, id)
}

// Create makes an object that must not be there. [IsAlreadyExists] tells that
// one is: perhaps the caller's own from an attempt whose answer was lost, which
// only reading and comparing can tell.
func (c *Client) Create(ctx context.Context, kind, id string, attributes json.RawMessage) (*Object, error) {
	defer c.ahead.forget()
	a, err := c.do(ctx, http.MethodPut, objectPath(kind, id), http.Header{"If-None-Match": {"*"}}, putBody{attributes})
	return objectOf(a, err, kind, id)
}

// Add makes an object that the control plane numbers, under what it belongs to: the
// next version of a model. The key is made for this object and sent with each attempt:
// where an attempt of the last day with the same key was carried out, its object is
// the answer, and nothing is made. See [Client.Acknowledge].
func (c *Client) Add(ctx context.Context, kind, parent, key string, attributes json.RawMessage) (*Object, error) {
	if key == "" {
		return nil, errors.New("no idempotency key: a second attempt would make a second object")
	}
	defer c.ahead.forget()
	a, err := c.do(ctx, http.MethodPost, objectPath(kind, parent), http.Header{"Idempotency-Key": {key}}, putBody{attributes})
	return objectOf(a, err, kind, "")
}

// Added is an object that was added, and the idempotency key that it was added with.
type Added struct {
	Ref
	Key string `json:"idempotency_key"`
}

// Unacknowledged lists what was added under a parent in the last day and not
// acknowledged since, oldest first: adding with such a key gives that object.
func (c *Client) Unacknowledged(ctx context.Context, kind, parent string) ([]Added, error) {
	a, err := c.do(ctx, http.MethodGet, "/v1/unacknowledged/"+url.PathEscape(kind)+"/"+url.PathEscape(parent), nil, nil)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Items []Added `json:"items"`
	}
	err = decode(a, &answer)
	return answer.Items, err
}

// Acknowledge tells that the answer to an addition has arrived and is kept. It is no
// error where that is known, or the object is gone.
func (c *Client) Acknowledge(ctx context.Context, kind, id string) error {
	_, err := c.do(ctx, http.MethodDelete, "/v1/unacknowledged"+strings.TrimPrefix(objectPath(kind, id), "/v1"), nil, nil)
	return err
}

// Move is one change of what an alias points at.
type Move struct {
	Seq int64     `json:"seq"`
	At  time.Time `json:"at"`
	// Who made it, as its client said.
	Who string `json:"who"`
	// From and To are numbers of versions; 0 where the alias was not there before, or
	// is gone after it.
	From   int64  `json:"from"`
	To     int64  `json:"to"`
	Reason string `json:"reason"`
}

// History reads the moves of an alias, newest first. It outlives the alias. The
// sequence ends with the first error.
func (c *Client) History(ctx context.Context, kind, id string) iter.Seq2[Move, error] {
	return func(yield func(Move, error) bool) {
		query := url.Values{"page_size": {strconv.Itoa(pageSize)}}
		for before := int64(math.MaxInt64); ; {
			a, err := c.do(ctx, http.MethodGet, objectPath(kind, id)+"/history?"+query.Encode(), nil, nil)
			var page struct {
				Items []Move `json:"items"`
			}
			if err == nil {
				err = decode(a, &page)
			}
			if err != nil {
				yield(Move{}, err)
				return
			}
			for _, move := range page.Items {
				if !yield(move, nil) {
					return
				}
			}
			if len(page.Items) < pageSize {
				return
			}
			oldest := page.Items[len(page.Items)-1].Seq
			if oldest < 1 || oldest >= before {
				yield(Move{}, fmt.Errorf("reading the history of %s: the server gives the same page again", id))
				return
			}
			before = oldest
			query.Set("before", strconv.FormatInt(before, 10))
		}
	}
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
	return objectOf(a, err, kind, id)
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
	return c.list(ctx, kindPath(kind), kind)
}

// ListUnder reads the objects of a kind that the control plane numbers: those of one
// parent, in the order of pages. The sequence ends with the first error.
func (c *Client) ListUnder(ctx context.Context, kind, parent string) iter.Seq2[*Object, error] {
	return c.list(ctx, objectPath(kind, parent), kind)
}

func (c *Client) list(ctx context.Context, path, kind string) iter.Seq2[*Object, error] {
	return func(yield func(*Object, error) bool) {
		for token := ""; ; {
			items, next, err := c.page(ctx, path, kind, token)
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

// page reads one page of the objects of a kind at a path, and the token of the next one.
func (c *Client) page(ctx context.Context, path, kind, token string) ([]*Object, string, error) {
	query := url.Values{"page_size": {strconv.Itoa(pageSize)}}
	if token != "" {
		query.Set("page_token", token)
	}
	a, err := c.do(ctx, http.MethodGet, path+"?"+query.Encode(), nil, nil)
	var page struct {
		Items []*Object `json:"items"`
		Next  string    `json:"next_page_token"`
	}
	if err == nil {
		err = decode(a, &page)
	}
	if err == nil && page.Next != "" && page.Next == token {
		err = fmt.Errorf("listing %s: the server gives the same page again", path)
	}
	for _, object := range page.Items {
		if err == nil {
			err = checkObject(a.status, object, kind, "")
		}
	}
	if err != nil {
		return nil, "", err
	}
	return page.Items, page.Next, nil
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

// codeBatchFull: the answer to a batch has no room for this object.
const codeBatchFull = "BATCH_FULL"

// BatchGet reads many objects, in the order of the references. Each is read by
// itself: together they are no snapshot.
func (c *Client) BatchGet(ctx context.Context, refs []Ref) ([]BatchResult, error) {
	results := make([]BatchResult, len(refs))
	asked := make([]int, len(refs)) // what is still to be asked for
	for i := range refs {
		asked[i] = i
	}
	for len(asked) > 0 {
		part := asked[:min(len(asked), maxBatch)]
		full, err := c.batch(ctx, refs, part, results)
		if err != nil {
			return nil, err
		}
		asked = append(full, asked[len(part):]...)
	}
	return results, nil
}

// batch asks for the references at some indexes, and puts what was found at the
// same ones. It returns those for which one answer has no room.
func (c *Client) batch(ctx context.Context, refs []Ref, indexes []int, results []BatchResult) (full []int, err error) {
	part := make([]Ref, len(indexes))
	for i, index := range indexes {
		part[i] = refs[index]
	}
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
		case r.Error != nil && r.Error.Code == codeBatchFull && i > 0: // the first one always has room
			full = append(full, indexes[i])
			continue
		case r.Error != nil:
			result.Err = &Error{Status: r.Status, Code: r.Error.Code, Detail: r.Error.Detail, FieldViolations: r.Error.FieldViolations, Blocking: r.Error.Blocking}
		default:
			if result.Err = checkObject(a.status, r.Object, part[i].Kind, part[i].ID); result.Err != nil {
				result.Object = nil
			}
		}
		results[indexes[i]] = result
	}
	return full, nil
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

func kindPath(kind string) string { return "/v1/" + url.PathEscape(kind) }

func objectPath(kind, id string) string {
	segments := strings.Split(id, "/")
	for i, segment := range segments {
		segments[i] = url.PathEscape(segment)
	}
	return kindPath(kind) + "/" + strings.Join(segments, "/")
}

// checkObject reports an answer that is no object, or is another one than was asked
// for; an empty id is any.
func checkObject(status int, object *Object, kind, id string) error {
	switch {
	case object == nil || object.Kind == "" || object.ID == "" || object.UID == "" || len(object.Attributes) == 0:
		return &Error{Status: status, Detail: "The answer is not the control plane's: it is no object. Is the endpoint right?"}
	case object.Kind != kind || id != "" && object.ID != id:
		return &Error{Status: status, Detail: fmt.Sprintf("The answer is about another object than the %s that was asked for. Is the endpoint right, and does a proxy stand in between that mixes answers up?", strings.TrimSpace(kind+" "+id))}
	}
	return nil
}

// objectOf reads the answer about an object; an empty id is one that the control plane
// has numbered.
func objectOf(a *answer, err error, kind, id string) (*Object, error) {
	if err != nil {
		return nil, err
	}
	var object Object
	if err := decode(a, &object); err != nil {
		return nil, err
	}
	if err := checkObject(a.status, &object, kind, id); err != nil {
		return nil, err
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
