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
	format   string
	size     int64
	modified time.Time
}

type fileEntry struct {
	once  sync.Once
	table *profile.Table
	err   error
}

// table is the file at the path, read for the columns of the first that asks for it.
func (f *files) table(path, format, method string, columns []string) (*profile.Table, error) {
	key := fileKey{path: path, format: format}
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
	entry.once.Do(func() { entry.table, entry.err = profile.Read(path, format, method, columns...) })
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
	if object.Planned && profiled(object.Value) {
		return evaluate.Inputs{Kept: computedOf(object.Value)}, trouble{}
	}
	declared, err := spec.Decode[spec.Baseline](object.Value)
	if err != nil || declared.File.IsNull() || ctx.Err() != nil {
		return evaluate.Inputs{}, trouble{}
	}
	file := declared.File.Fields()
	path, pathKnown := file.Path.Get()
	columns, columnsKnown := columnsOf(file)
	binning, binningKnown := binningOf(declared.Binning)
	if !pathKnown || !columnsKnown || !binningKnown || file.Digest.IsUnknown() || file.Format.IsUnknown() {
		return evaluate.Inputs{}, trouble{}
	}
	if object.Directory != "" && !filepath.IsAbs(path) {
		path = filepath.Join(object.Directory, path)
	}
	names := make([]string, len(columns))
	for i, column := range columns {
		names[i], _ = column.Get()
	}
	table, err := r.files.table(path, file.Format.Or(profile.FormatOf(path)), binning.Method, names)
	if err != nil {
		return keepOrFail(object, file.Path.Path(), err)
	}
	if want, ok := file.Digest.Get(); ok {
		digest, err := table.Digest()
		if err != nil {
			return keepOrFail(object, file.Path.Path(), err)
		}
		if want != digest {
			inputs, _ := prior(object)
			return inputs, trouble{certain: []spec.Finding{digestMismatch(file, path, want, digest)}}
		}
	}
	out, wrong := evaluate.Inputs{Profiles: map[string]*profile.Result{}}, trouble{}
	for i, name := range names {
		result, err := table.Profile(name, binning)
		if err != nil {
			wrong.certain = append(wrong.certain, unreadable(at(declared, columns[i], err), err))
			var e *profile.Error
			if errors.As(err, &e) && e.Part == profile.PartFile {
				break // for all columns alike
			}
			continue
		}
		out.Profiles[name] = result
	}
	if len(wrong.certain) > 0 {
		return evaluate.Inputs{}, wrong
	}
	if file.Columns.IsNull() {
		return evaluate.Inputs{Profile: out.Profiles[names[0]]}, trouble{}
	}
	return out, trouble{}
}

// columnsOf are the columns that are asked for, one or several; false while one is unknown.
func columnsOf(file spec.BaselineFile) ([]spec.Value[string], bool) {
	if spec.AnyUnknown(file.Column, file.Columns) {
		return nil, false
	}
	if file.Column.IsKnown() {
		return []spec.Value[string]{file.Column}, true
	}
	columns, _ := file.Columns.Get()
	for _, column := range columns {
		if !column.IsKnown() {
			return nil, false
		}
	}
	return columns, len(columns) > 0
}

// profiled reports whether the computed profile, or the profiles, are there.
func profiled(value cty.Value) bool {
	one, many := value.GetAttr("profile"), value.GetAttr("profiles")
	return one.IsWhollyKnown() && many.IsWhollyKnown() && !(one.IsNull() && many.IsNull())
}

// at is the attribute that an error of package profile is about.
func at(declared spec.Baseline, column spec.Value[string], err error) cty.Path {
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
	return column.Path()
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
	if !profiled(before) {
		return evaluate.Inputs{}, false
	}
	return evaluate.Inputs{Kept: computedOf(before)}, true
}

func computedOf(value cty.Value) map[string]cty.Value {
	return map[string]cty.Value{
		"profile":                value.GetAttr("profile"),
		"profiles":               value.GetAttr("profiles"),
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
