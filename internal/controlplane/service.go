// Package controlplane is the service that keeps declared objects: registered
// models, baselines, monitors, alert thresholds and rollout policies. It has one
// door, the HTTP API of [NewHandler]; the provider and mlopsctl go through it
// even where it runs in their own process ([OpenEmbedded]), and [Serve] opens it
// to a team.
//
// What is kept lies behind two ports (package port): registered models, their
// versions and aliases in the control plane's own store or in MLflow, everything
// else in the store: a SQLite file, or a PostgreSQL database.
package controlplane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/zclconf/go-cty/cty"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// modelAttribute is the key attribute that makes an object a part of a
// registered model.
const modelAttribute = "model"

// Service holds the rules that no store knows: what a valid object is, which
// store keeps it, and that nothing belongs to a model that does not exist.
type Service struct {
	registry port.Registry
	policies port.Policies
	log      *slog.Logger
	// once has the requests with an idempotency key whose write in an external
	// registry is under way.
	once singleflight.Group
	// waiting has a place for each reader that may wait for events.
	waiting chan struct{}
}

// NewService puts a service in front of its stores. A nil logger discards.
func NewService(registry port.Registry, policies port.Policies, log *slog.Logger) *Service {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Service{registry: registry, policies: policies, log: log, waiting: make(chan struct{}, MaxWaiting)}
}

// Get returns an object, or an error with code NOT_FOUND.
func (s *Service) Get(ctx context.Context, ref port.Ref) (port.Object, error) {
	if port.InRegistry(ref.Kind) {
		return s.registry.Get(ctx, ref)
	}
	return s.policies.Get(ctx, ref)
}

// List returns a page of the objects of a kind: by id where the control plane's store
// has them, else in the registry's order. A model, where it is not empty, limits
// versions to its own.
func (s *Service) List(ctx context.Context, kind, model string, page port.PageRequest) (port.Page, error) {
	if port.InRegistry(kind) {
		return s.registry.List(ctx, kind, model, page)
	}
	return s.policies.List(ctx, kind, page)
}

// Item is what [Service.BatchGet] found for one reference: an object or an error.
type Item struct {
	Ref    port.Ref
	Object port.Object
	Err    error
}

// maxBatchBytes bounds the attributes in the answer to a batch.
const maxBatchBytes = 16 << 20

// BatchGet reads many objects, each by itself: not one snapshot of them all. Large
// objects that would make the answer too large are answered with BATCH_FULL, but
// for the first one, so that asking for those again comes to an end.
func (s *Service) BatchGet(ctx context.Context, refs []port.Ref) ([]Item, error) {
	items := make([]Item, len(refs))
	var size atomic.Int64
	read := func(i int) {
		item := Item{Ref: refs[i]}
		if item.Err = CheckRef(item.Ref); item.Err == nil {
			item.Object, item.Err = s.Get(ctx, item.Ref)
		}
		if total := size.Add(int64(len(item.Object.Attributes))); i > 0 && total > maxBatchBytes && item.Err == nil {
			item = Item{Ref: item.Ref, Err: &port.Error{Code: codeBatchFull, Detail: fmt.Sprintf("The answer has no room for %s: ask for it in another batch.", item.Ref)}}
		}
		items[i] = item
	}
	var group errgroup.Group
	group.SetLimit(8)
	for i := range refs {
		if i == 0 { // before all others: it always has room
			read(i)
			continue
		}
		group.Go(func() error {
			read(i)
			return nil
		})
	}
	_ = group.Wait()
	return items, ctx.Err()
}

// Put creates or replaces an object. Its attributes are compact JSON; they are
// decoded with the kind's schema and held against its constraints, then kept
// byte for byte, secrets apart. With an idempotency key, a Put that has succeeded already is
// answered again and not carried out again.
func (s *Service) Put(ctx context.Context, ref port.Ref, attributes json.RawMessage, only port.Precondition, key port.Once) (port.Object, error) {
	kind, err := kindOf(ref.Kind)
	if err != nil {
		return port.Object{}, err
	}
	value, err := decode(kind, attributes)
	if err != nil {
		return port.Object{}, err
	}
	if value, err = named(kind, ref, value); err != nil {
		return port.Object{}, err
	}
	if kind.Numbered != "" && only.Creates() {
		return port.Object{}, invalid("The number of a %s is the control plane's to give: POST to /v1/%s/{%s}, without it.", kind.Name, kind.Name, strings.Join(kind.Key[:len(kind.Key)-1], "}/{"))
	}
	if only, err = s.unfixed(ctx, kind, ref, value, only); err != nil {
		return port.Object{}, err
	}
	write := port.Write{Ref: ref, Attributes: attributes, If: only, Once: key}
	if err := apart(&write, kind, value); err != nil {
		return port.Object{}, err
	}
	if slices.Contains(kind.Key, modelAttribute) {
		write.Model = value.GetAttr(modelAttribute).AsString()
	}
	if ref.Kind == port.ModelAlias {
		if write.Version, write.Reason, err = pointer(value); err != nil {
			return port.Object{}, err
		}
	}
	switch {
	case port.InRegistry(ref.Kind) && s.registry.Transactional():
		return s.registry.Put(ctx, write)
	case port.InRegistry(ref.Kind):
		return s.onceElsewhere(ctx, key, func() (port.Object, error) { return s.putElsewhere(ctx, write) })
	}
	if write.Model != "" && !s.registry.Transactional() {
		// Best effort: the model may go between this and the write.
		switch _, err := s.registry.Get(ctx, port.Ref{Kind: port.RegisteredModel, ID: write.Model}); {
		case port.CodeOf(err) == port.CodeNotFound:
			return port.Object{}, port.ModelMissing(ref, write.Model)
		case err != nil:
			return port.Object{}, err
		}
		write.ModelElsewhere = true
	}
	return s.policies.Put(ctx, write)
}

// putElsewhere writes to an external registry, and keeps the event and the move.
func (s *Service) putElsewhere(ctx context.Context, write port.Write) (port.Object, error) {
	var from int64
	if write.Kind == port.ModelAlias {
		// Best effort: somebody may move the alias between this and the write.
		switch before, err := s.registry.Get(ctx, write.Ref); {
		case err == nil:
			from = versionOf(before)
		case port.CodeOf(err) != port.CodeNotFound:
			return port.Object{}, err
		}
	}
	object, err := s.registry.Put(ctx, write)
	if err != nil {
		return object, err
	}
	action := port.Updated
	if write.If.Creates() {
		action = port.Created
	}
	s.record(ctx, action, object)
	if write.Kind == port.ModelAlias && from != write.Version {
		s.recordMove(ctx, write.ID, port.Move{From: from, To: write.Version, Reason: write.Reason})
	}
	return object, nil
}

// Add makes an object that the control plane numbers: the next version of a model.
// The key is needed: without one, a second attempt would be a second version.
func (s *Service) Add(ctx context.Context, kindName, model string, attributes json.RawMessage, key port.Once) (port.Object, error) {
	kind, err := kindOf(kindName)
	if err != nil {
		return port.Object{}, err
	}
	if key == (port.Once{}) {
		return port.Object{}, invalid("Send an Idempotency-Key, made for this %s, and repeat it with each attempt: it tells a second attempt from a second %s.", kind.Name, kind.Name)
	}
	value, err := decode(kind, attributes)
	if err != nil {
		return port.Object{}, err
	}
	if parent, ok := kind.Parent(value); !ok || parent != model {
		return port.Object{}, invalid("The address says %s, and the attributes say %s. They must be equal.", quote(model), quote(parent))
	}
	addition := port.Addition{Kind: kind.Name, Model: model, Attributes: attributes, Once: key}
	if s.registry.Transactional() {
		return s.registry.Add(ctx, addition)
	}
	return s.onceElsewhere(ctx, key, func() (port.Object, error) {
		object, err := s.registry.Add(ctx, addition)
		if err == nil {
			s.record(ctx, port.Created, object)
		}
		return object, err
	})
}

// Unacknowledged lists what was added to a model in the last day and not acknowledged
// since, oldest first.
func (s *Service) Unacknowledged(ctx context.Context, kind, model string) ([]port.Added, error) {
	return s.registry.Unacknowledged(ctx, kind, model)
}

// Acknowledge says that the answer to an addition is kept.
func (s *Service) Acknowledge(ctx context.Context, ref port.Ref) error {
	return s.registry.Acknowledge(ctx, ref)
}

// Moves returns the history of an alias, newest first. It outlives the alias.
func (s *Service) Moves(ctx context.Context, alias port.Ref, before int64, limit int) ([]port.Move, error) {
	return s.policies.Moves(ctx, alias.ID, before, limit)
}

// named puts the number that an address has into a value, and reports where the
// address and the attributes name different objects.
func named(kind *spec.Kind, ref port.Ref, value cty.Value) (cty.Value, error) {
	key, err := kind.ParseID(ref.ID)
	if err != nil {
		return value, invalid("%v.", err)
	}
	if kind.Numbered != "" {
		value = spec.Overlay(value, map[string]cty.Value{kind.Numbered: key[kind.Numbered]})
	}
	if id, ok := kind.ID(value); !ok || id != ref.ID {
		return value, keyMismatch(kind, ref, value)
	}
	return value, nil
}

// unfixed refuses to change what no update changes, and narrows the precondition to
// the revision that this was held against.
func (s *Service) unfixed(ctx context.Context, kind *spec.Kind, ref port.Ref, value cty.Value, only port.Precondition) (port.Precondition, error) {
	if len(kind.Immutable) == 0 {
		return only, nil
	}
	current, err := s.Get(ctx, ref)
	if err != nil && port.CodeOf(err) != port.CodeNotFound {
		return only, err
	}
	if err != nil || only.Check(ref, &current) != nil {
		return only, nil //nolint:nilerr // the store refuses it, or knows its idempotency key
	}
	before, err := kind.DecodeJSON(current.Attributes)
	if err != nil {
		return only, &port.Error{Code: port.CodeFailedPrecondition, Err: err, Detail: fmt.Sprintf("What is kept of %s does not fit this version of the control plane: %v. Use the version that wrote it, or a later one.", ref, err)}
	}
	var violations []port.Violation
	for _, name := range kind.Immutable {
		if !value.GetAttr(name).RawEquals(before.GetAttr(name)) {
			violations = append(violations, port.Violation{
				Path: name, Detail: fmt.Sprintf("the %s of a %s cannot change", name, kind.Name),
				Fix: fmt.Sprintf("Register another %s, and leave this one as it is.", kind.Name),
			})
		}
	}
	if len(violations) > 0 {
		return only, &port.Error{
			Code: port.CodeInvalidArgument, Violations: violations,
			Detail: fmt.Sprintf("%s is immutable: %s cannot change. Register another one.", ref, violations[0].Path),
		}
	}
	return port.IfMatch(current.ETag), nil
}

// pointer is what an alias says: the version it points at, and why.
func pointer(value cty.Value) (version int64, reason string, err error) {
	alias, err := spec.Decode[spec.ModelAlias](value)
	return int64(alias.Version.Or(0)), alias.Reason.Or(""), err
}

// versionOf is the version that a kept alias points at; 0 where it cannot be read.
func versionOf(alias port.Object) int64 {
	var attributes struct {
		Version json.Number `json:"version"`
	}
	if json.Unmarshal(alias.Attributes, &attributes) != nil {
		return 0
	}
	version, err := attributes.Version.Int64()
	if err != nil {
		return 0
	}
	return version
}

// apart takes the secrets out of what is written: stores keep them by themselves, and
// every answer is made of the attributes.
func apart(write *port.Write, kind *spec.Kind, value cty.Value) error {
	given := false
	for _, secret := range kind.Secrets(value) {
		given = given || secret.Value != ""
		if secret.Version != "" {
			write.Secrets = append(write.Secrets, port.Secret{Name: secret.Name, Version: secret.Version, Value: secret.Value})
		}
	}
	if !given {
		return nil
	}
	masked, err := kind.EncodeJSON(kind.WithoutSecrets(value))
	if err != nil {
		return err
	}
	write.Attributes = masked
	return nil
}

// Delete removes an object. A registered model with policies that belong to it stays;
// cascade takes its versions and aliases along. A version that an alias points at
// stays.
func (s *Service) Delete(ctx context.Context, ref port.Ref, cascade bool, only port.Precondition) error {
	request := port.Delete{Ref: ref, If: only, Cascade: cascade}
	if !port.InRegistry(ref.Kind) {
		return s.policies.Delete(ctx, request)
	}
	if s.registry.Transactional() {
		_, err := s.registry.Delete(ctx, request)
		return err
	}
	if ref.Kind == port.RegisteredModel {
		blocking, err := s.policies.Children(ctx, ref.ID)
		if err != nil {
			return err
		}
		if len(blocking) > 0 {
			return port.HasChildren(ref.ID, blocking)
		}
	}
	object, err := s.registry.Delete(ctx, request)
	if err != nil {
		return err
	}
	s.record(ctx, port.Deleted, object)
	if ref.Kind == port.ModelAlias {
		s.recordMove(ctx, ref.ID, port.Move{From: versionOf(object)})
	}
	return nil
}

// record keeps the event of a write in an external registry. The write has
// happened, so a failure here cannot make it undone, and must not be the answer.
func (s *Service) record(ctx context.Context, action string, object port.Object) {
	if err := s.policies.Record(context.WithoutCancel(ctx), action, object); err != nil {
		s.log.ErrorContext(ctx, "a write has no event", "action", action, "kind", object.Kind, "id", object.ID, "error", err)
	}
}

// recordMove keeps a move of an alias in an external registry, as far as it can be
// kept: it has happened.
func (s *Service) recordMove(ctx context.Context, alias string, m port.Move) {
	m.Who = port.Actor(ctx)
	if err := s.policies.RecordMove(context.WithoutCancel(ctx), alias, m); err != nil {
		s.log.ErrorContext(ctx, "a move of an alias is not in its history", "alias", alias, "from", m.From, "to", m.To, "error", err)
	}
}

// onceElsewhere carries out a write in an external registry, which knows no
// idempotency keys and shares no transaction with the store that keeps them: of
// requests with one key that arrive together one writes, and a later one gets its
// answer. If the control plane is killed between the write and the note of it,
// the next request writes again: a write that could then do harm must carry the
// key into the registry, and look for it there first.
func (s *Service) onceElsewhere(ctx context.Context, key port.Once, write func() (port.Object, error)) (port.Object, error) {
	if key == (port.Once{}) {
		return write()
	}
	type answer struct {
		request string
		object  port.Object
	}
	got, err, _ := s.once.Do(key.Key, func() (any, error) {
		known, err := s.policies.Recall(ctx, key)
		if err != nil {
			return answer{request: key.Request}, err
		}
		if known != nil {
			return answer{key.Request, *known}, nil
		}
		object, err := write()
		if err == nil {
			if err := s.policies.Remember(context.WithoutCancel(ctx), key, object); err != nil {
				s.log.ErrorContext(ctx, "the answer to an idempotency key is not kept", "kind", object.Kind, "id", object.ID, "error", err)
			}
		}
		return answer{key.Request, object}, err
	})
	if a, ok := got.(answer); ok && a.request != key.Request {
		return port.Object{}, port.KeyReused(key)
	} else if ok {
		return a.object, err
	}
	return port.Object{}, err
}

// StoreInfo identifies the control plane's store.
type StoreInfo struct {
	// ID is made with the store and never changes; empty while there is none.
	ID string `json:"id"`
	// Registry is where registered models live: sqlite, postgres or mlflow.
	Registry string `json:"registry"`
	// Exists is false until the first write.
	Exists bool `json:"exists"`
}

// Store identifies the control plane's store. A client that finds another id, or
// none, than the one it wrote to knows that a missing object says nothing.
func (s *Service) Store(ctx context.Context) (StoreInfo, error) {
	info, err := s.policies.Info(ctx)
	return StoreInfo{ID: info.ID, Registry: s.registry.Name(), Exists: info.Exists}, err
}

// Ready reports whether the stores can answer.
func (s *Service) Ready(ctx context.Context) error {
	return errors.Join(s.policies.Ready(ctx), s.registry.Ready(ctx))
}

// CheckRef reports whether a reference can name an object: a known kind, and
// one name for each of its key attributes.
func CheckRef(ref port.Ref) error {
	kind, err := kindOf(ref.Kind)
	if err != nil {
		return err
	}
	if _, err := kind.ParseID(ref.ID); err != nil {
		return invalid("%v.", err)
	}
	return nil
}

func kindOf(name string) (*spec.Kind, error) {
	if kind, ok := spec.ByName(name); ok {
		return kind, nil
	}
	return nil, &port.Error{Code: codeUnknownKind, Detail: "There is no kind of object called " + quote(name) + " here. The kinds are " + kindNames() + "; the server may be older than the client."}
}

func keyMismatch(kind *spec.Kind, ref port.Ref, value cty.Value) error {
	id, _ := kind.ID(value)
	return invalid("The address says %s, and the attributes say %s. The %s in the address must equal the attributes.", quote(ref.ID), quote(id), joinKey(kind))
}
