package source

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// The names by which directories are searched.
const (
	specSuffix          = ".mlops.hcl"
	terraformSuffix     = ".tf"
	terraformJSONSuffix = ".tf.json"
)

// maximumFile is the largest file that is read: a larger one is no policy.
const maximumFile = 256 << 20

// Load reads paths: spec files, Terraform files, plans as JSON, and directories,
// which are searched for the first two. A Terraform file stands for the module it
// belongs to: its whole directory. A path "-" is a plan on Options.Stdin.
//
// The bundle holds whatever could be read; each problem is something that could not.
// Evaluating may meet more of them: see [Bundle.Problems].
func Load(paths []string, options Options) (*Bundle, []Problem) {
	l := &loader{
		options: options, seen: map[string]bool{},
		modules: map[string]*module{}, specs: map[string]*module{},
		bundle: &Bundle{files: map[string][]byte{}},
	}
	for _, path := range paths {
		l.path(path)
	}
	l.assemble()
	return l.bundle, dedupe(l.problems)
}

type loader struct {
	options  Options
	bundle   *Bundle
	problems []Problem
	seen     map[string]bool
	modules  map[string]*module // Terraform files by directory
	specs    map[string]*module // spec files by directory
	order    []*module
	plans    []*plan
}

// module is the files of one directory that belong together.
type module struct {
	directory string
	terraform bool
	files     []string
}

func (l *loader) problem(file, format string, args ...any) {
	l.problems = append(l.problems, Problem{File: file, Message: fmt.Sprintf(format, args...)})
}

func (l *loader) path(path string) {
	if path == "-" {
		l.stdin()
		return
	}
	path = filepath.Clean(path)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.problem(path, "there is no such file or directory")
	case err != nil:
		l.problem(path, "%v", reason(err))
	case info.IsDir():
		l.directory(path)
	case strings.HasSuffix(path, specSuffix):
		l.specFile(path)
	case isTerraform(path):
		l.terraformModule(filepath.Dir(path))
	default:
		l.planFile(path)
	}
}

func isTerraform(name string) bool {
	return strings.HasSuffix(name, terraformSuffix) || strings.HasSuffix(name, terraformJSONSuffix)
}

// directory finds spec files and modules below root. Plans are read only where they
// are named: the module they were made from is usually there too.
func (l *loader) directory(root string) {
	found := false
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			l.problem(path, "%v", reason(err))
			if entry.IsDir() {
				return fs.SkipDir
			}
		case entry.IsDir():
			if path != root && (strings.HasPrefix(name, ".") || name == "node_modules") {
				return fs.SkipDir
			}
		case strings.HasPrefix(name, "."):
		case strings.HasSuffix(name, specSuffix):
			l.specFile(path)
			found = true
		case isTerraform(name):
			l.terraformModule(filepath.Dir(path))
			found = true
		}
		return nil
	})
	switch {
	case err != nil:
		l.problem(root, "%v", reason(err))
	case !found:
		l.problem(root, "there is nothing to judge here: no *%s, no *%s and no *%s file", specSuffix, terraformSuffix, terraformJSONSuffix)
	}
}

func (l *loader) specFile(path string) {
	if l.once(path) {
		return
	}
	directory := filepath.Dir(path)
	m := l.specs[directory]
	if m == nil {
		m = &module{directory: directory}
		l.specs[directory] = m
		l.order = append(l.order, m)
	}
	m.files = append(m.files, path)
}

func (l *loader) terraformModule(directory string) {
	if l.modules[directory] != nil {
		return
	}
	m := &module{directory: directory, terraform: true}
	l.modules[directory] = m
	l.order = append(l.order, m)
	entries, err := os.ReadDir(directory)
	if err != nil {
		l.problem(directory, "%v", reason(err))
		return
	}
	for _, entry := range entries {
		if name := entry.Name(); isTerraform(name) && !strings.HasPrefix(name, ".") && !entry.IsDir() {
			m.files = append(m.files, filepath.Join(directory, name))
		}
	}
	// Override files come after what they override.
	slices.SortStableFunc(m.files, func(a, b string) int {
		return cmp.Or(cmp.Compare(boolToInt(isOverride(a)), boolToInt(isOverride(b))), cmp.Compare(a, b))
	})
}

func (l *loader) planFile(path string) {
	if l.once(path) {
		return
	}
	content, err := readFile(path)
	if err != nil {
		l.problem(path, "%v", reason(err))
		return
	}
	l.plan(path, content)
}

func (l *loader) stdin() {
	const name = "<stdin>"
	if l.once(name) {
		return
	}
	if l.options.Stdin == nil {
		l.problem(name, "there is no standard input to read")
		return
	}
	content, err := io.ReadAll(io.LimitReader(l.options.Stdin, maximumFile+1))
	switch {
	case err != nil:
		l.problem(name, "%v", err)
	case len(content) > maximumFile:
		l.problem(name, "is larger than %d MB", maximumFile>>20)
	default:
		l.plan(name, content)
	}
}

func (l *loader) plan(name string, content []byte) {
	l.bundle.files[name] = content
	p, problems := parsePlan(name, content)
	l.problems = append(l.problems, problems...)
	if p != nil {
		l.plans = append(l.plans, p)
	}
}

func (l *loader) once(path string) (before bool) {
	before = l.seen[path]
	l.seen[path] = true
	return before
}

// assemble parses the files, joins them to scopes, and brings everything into
// reference order.
func (l *loader) assemble() {
	for _, m := range l.order {
		if m.terraform {
			l.terraformScope(m)
		} else {
			l.specScopes(m)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.options.Variables)) {
		declares := func(s *scope) bool { return s.variables[name] != nil }
		if len(l.bundle.scopes) > 0 && !slices.ContainsFunc(l.bundle.scopes, declares) {
			l.problem("", "a value is given for the variable %q, which nothing declares", name)
		}
	}
	l.qualify()
	blocks, problems := order(l.bundle.scopes)
	l.bundle.blocks = blocks
	l.problems = append(l.problems, problems...)
	l.bundle.plans = l.plans
	for _, b := range blocks {
		l.bundle.found = append(l.bundle.found, b.unknownAttributes()...)
	}
}

// terraformScope makes one scope of a module's files.
func (l *loader) terraformScope(m *module) {
	s := newScope(m.directory, m.directory, true)
	for _, file := range m.files {
		if body := l.parse(file); body != nil {
			l.problems = append(l.problems, s.addTerraform(file, body)...)
		} else {
			s.incomplete = true
		}
	}
	l.finish(s)
}

// specScopes makes a scope of each spec file. Names are looked up in the file itself
// first, then in the others of its directory.
func (l *loader) specScopes(m *module) {
	var scopes []*scope
	incomplete := false
	for _, file := range m.files {
		body := l.parse(file)
		if body == nil {
			incomplete = true
			continue
		}
		s := newScope(file, m.directory, false)
		l.problems = append(l.problems, s.addSpec(file, body)...)
		scopes = append(scopes, s)
	}
	for _, s := range scopes {
		s.incomplete = s.incomplete || incomplete
		for _, other := range scopes {
			if other != s {
				s.siblings = append(s.siblings, other)
			}
		}
		l.finish(s)
	}
}

func (l *loader) finish(s *scope) {
	s.workspace = cmp.Or(l.options.Workspace, "default")
	l.problems = append(l.problems, s.setVariables(l)...)
	l.bundle.scopes = append(l.bundle.scopes, s)
}

// parse reads one configuration file; nil where it cannot be used.
func (l *loader) parse(file string) hcl.Body {
	content, err := readFile(file)
	if err != nil {
		l.problem(file, "%v", reason(err))
		return nil
	}
	l.bundle.files[file] = content
	body, problems := parseHCL(file, content)
	l.problems = append(l.problems, problems...)
	return body
}

// qualify puts the file or directory before addresses that several scopes or plans
// declare, so that an address means one object.
func (l *loader) qualify() {
	count := map[string]int{}
	for _, s := range l.bundle.scopes {
		for _, b := range s.ordered {
			count[b.address]++
		}
	}
	for _, p := range l.plans {
		for _, o := range p.objects {
			count[o.object.Address]++
		}
	}
	for _, s := range l.bundle.scopes {
		for _, b := range s.ordered {
			if count[b.address] > 1 {
				b.address = filepath.ToSlash(s.name) + ":" + b.address
			}
		}
	}
	for _, p := range l.plans {
		for i := range p.objects {
			o := &p.objects[i]
			if count[o.object.Address] > 1 {
				o.qualify(filepath.ToSlash(p.file) + ":")
			}
		}
	}
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, errors.New("is not a regular file")
	case info.Size() > maximumFile:
		return nil, fmt.Errorf("is larger than %d MB", maximumFile>>20)
	}
	return os.ReadFile(path)
}

// reason is an error without the path, which the problem names already.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
