package review

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/evaluate"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/profile"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// files reads each data file once. A file that changes on disk is another file.
type files struct {
	mutex sync.Mutex
	read  map[fileKey]*fileEntry
}

type fileKey struct {
	path     string
	size     int64
	modified time.Time
}

type fileEntry struct {
	once  sync.Once
	table *profile.Table
	err   error
}

func (f *files) table(path string) (*profile.Table, error) {
	key := fileKey{path: path}
	if info, err := os.Stat(path); err == nil {
		key.size, key.modified = info.Size(), info.ModTime()
	}
	f.mutex.Lock()
	if f.read == nil {
		f.read = map[fileKey]*fileEntry{}
	}
	entry, ok := f.read[key]
	if !ok {
		entry = &fileEntry{}
		f.read[key] = entry
	}
	f.mutex.Unlock()
	entry.once.Do(func() { entry.table, entry.err = profile.Read(path) })
	return entry.table, entry.err
}

// trouble is what went wrong with an object's files.
type trouble struct {
	certain []spec.Finding // errors whatever the enforcement
	judged  []spec.Finding // findings like any other
}

// inputs reads what the evaluation of an object needs from outside of it.
func (r *Reviewer) inputs(ctx context.Context, object spec.Object) (evaluate.Inputs, trouble) {
	if object.Kind.Name != "baseline" {
		return evaluate.Inputs{}, trouble{}
	}
	if object.Planned && object.Value.GetAttr("profile").IsWhollyKnown() && !object.Value.GetAttr("profile").IsNull() {
		return evaluate.Inputs{Kept: computedOf(object.Value)}, trouble{}
	}
	declared, err := spec.Decode[spec.Baseline](object.Value)
	if err != nil || declared.File.IsNull() || ctx.Err() != nil {
		return evaluate.Inputs{}, trouble{}
	}
	file := declared.File.Fields()
	path, pathKnown := file.Path.Get()
	column, columnKnown := file.Column.Get()
	binning, binningKnown := binningOf(declared.Binning)
	if !pathKnown || !columnKnown || !binningKnown || file.Digest.IsUnknown() || file.Format.IsUnknown() {
		return evaluate.Inputs{}, trouble{}
	}
	if object.Directory != "" && !filepath.IsAbs(path) {
		path = filepath.Join(object.Directory, path)
	}
	table, err := r.files.table(path)
	if err != nil {
		return keepOrFail(object, file.Path.Path(), err)
	}
	if want, ok := file.Digest.Get(); ok && want != table.Digest() {
		inputs, _ := prior(object)
		return inputs, trouble{certain: []spec.Finding{digestMismatch(file, path, want, table.Digest())}}
	}
	result, err := table.Profile(column, binning)
	if err != nil {
		return evaluate.Inputs{}, trouble{certain: []spec.Finding{unreadable(at(declared, err), err)}}
	}
	return evaluate.Inputs{Profile: result}, trouble{}
}

// at is the attribute that an error of package profile is about.
func at(declared spec.Baseline, err error) cty.Path {
	file, binning := declared.File.Fields(), declared.Binning
	var e *profile.Error
	if errors.As(err, &e) {
		switch e.Part {
		case profile.PartFile:
			return file.Path.Path()
		case profile.PartBinning:
			if binning.IsKnown() {
				return binning.Path()
			}
		}
	}
	return file.Column.Path()
}

// keepOrFail keeps the profile of the state where the policy asks for the same one:
// a file that is gone on this machine must not block unrelated changes.
func keepOrFail(object spec.Object, path cty.Path, err error) (evaluate.Inputs, trouble) {
	finding := unreadable(path, err)
	inputs, ok := prior(object)
	if !ok {
		return inputs, trouble{certain: []spec.Finding{finding}}
	}
	finding.Severity = spec.Warning
	finding.Detail += " file and binning are as they were, so the profile of the last apply is kept."
	return inputs, trouble{judged: []spec.Finding{finding}}
}

// prior is the profile of the state, where file and binning ask for the same one.
func prior(object spec.Object) (evaluate.Inputs, bool) {
	before := object.Prior
	if before == cty.NilVal || before.IsNull() || !before.IsKnown() {
		return evaluate.Inputs{}, false
	}
	for _, name := range []string{"name", "file", "binning"} {
		if !before.GetAttr(name).RawEquals(object.Value.GetAttr(name)) {
			return evaluate.Inputs{}, false
		}
	}
	if p := before.GetAttr("profile"); p.IsNull() || !p.IsWhollyKnown() {
		return evaluate.Inputs{}, false
	}
	return evaluate.Inputs{Kept: computedOf(before)}, true
}

func computedOf(value cty.Value) map[string]cty.Value {
	return map[string]cty.Value{
		"profile":                value.GetAttr("profile"),
		spec.AttributeEvaluation: value.GetAttr(spec.AttributeEvaluation),
	}
}

func unreadable(path cty.Path, err error) spec.Finding {
	finding := spec.Finding{Rule: fileUnreadable.ID, Severity: fileUnreadable.Severity, Summary: fileUnreadable.Summary, Path: path}
	var e *profile.Error
	if errors.As(err, &e) {
		finding.Detail, finding.Fix = capital(e.Why)+".", e.Fix
	} else {
		finding.Detail, finding.Fix = capital(err.Error())+".", "Check the file."
	}
	return finding
}

func digestMismatch(file spec.BaselineFile, path, want, got string) spec.Finding {
	return spec.Finding{
		Rule: fileDigest.ID, Severity: fileDigest.Severity, Summary: fileDigest.Summary, Path: file.Digest.Path(),
		Detail:       "file.digest is " + want + ", and " + path + " has " + got + ": it is another file, or it has changed.",
		Fix:          "Restore the file, or set file.digest to \"" + got + "\" after looking at what has changed.",
		Alternatives: []spec.Change{{Assign: map[string]cty.Value{"file.digest": cty.StringVal(got)}}},
	}
}

// binningOf reads how to bin; a baseline that says nothing has 10 quantile bins.
func binningOf(declared spec.Value[spec.Binning]) (profile.Binning, bool) {
	b := declared.Fields()
	if declared.IsUnknown() || spec.AnyUnknown(b.Method, b.Bins, b.Edges) {
		return profile.Binning{}, false
	}
	out := profile.Binning{Method: b.Method.Or(profile.MethodQuantile), Bins: int(b.Bins.Or(defaultBins))}
	elements, _ := b.Edges.Get()
	for _, element := range elements {
		edge, ok := element.Get()
		if !ok {
			return out, false
		}
		out.Edges = append(out.Edges, edge)
	}
	return out, true
}

const defaultBins = 10
