package stats

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestEveryExportedFunctionMeetsDegenerateInput reads this package's own source: each exported
// function, and each exported method of an exported type, must be called by a fuzz test, or by
// a test of degenerate input (TestDegenerate...), itself or through the helpers of tests. A
// call through an interface counts for all that implement it.
func TestEveryExportedFunctionMeetsDegenerateInput(t *testing.T) {
	files, isTest, uses, pkg := typesOfThisPackage(t)
	exported := map[*types.Func]bool{}
	called := map[*types.Func][]*types.Func{} // by functions of tests
	var pending []*types.Func                 // of which calls count
	for i, file := range files {
		for _, declaration := range file.Decls {
			f, ok := declaration.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			this, ok := uses.Defs[f.Name].(*types.Func)
			switch {
			case !ok:
			case !isTest[i]:
				if ast.IsExported(f.Name.Name) && (f.Recv == nil || ast.IsExported(receiverOf(this).Name())) {
					exported[this] = true
				}
			default:
				ast.Inspect(f.Body, func(n ast.Node) bool {
					if name, ok := n.(*ast.Ident); ok {
						if other, ok := uses.Uses[name].(*types.Func); ok && other.Pkg() == pkg {
							called[this] = append(called[this], other.Origin())
						}
					}
					return true
				})
				if strings.HasPrefix(f.Name.Name, "Fuzz") || strings.HasPrefix(f.Name.Name, "TestDegenerate") {
					pending = append(pending, this)
				}
			}
		}
	}
	if len(exported) < 100 || len(pending) < 10 {
		t.Fatalf("%d exported functions and %d tests of odd input were found", len(exported), len(pending))
	}
	met := map[*types.Func]bool{}
	for len(pending) > 0 {
		last := len(pending) - 1
		next := called[pending[last]]
		pending = pending[:last]
		for _, f := range next {
			if !met[f] {
				met[f] = true
				pending = append(pending, f)
			}
		}
	}
	var missing []string
	for f := range exported {
		if !met[f] && !metByInterface(f, met) {
			missing = append(missing, f.FullName())
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		t.Errorf("no fuzz test and no TestDegenerate... calls %d of %d exported functions:\n%s", len(missing), len(exported), strings.Join(missing, "\n"))
	}
}

func metByInterface(f *types.Func, met map[*types.Func]bool) bool {
	receiver := f.Signature().Recv()
	if receiver == nil {
		return false
	}
	for other := range met {
		if other.Name() != f.Name() || other.Signature().Recv() == nil {
			continue
		}
		if in, ok := other.Signature().Recv().Type().Underlying().(*types.Interface); ok && types.Implements(receiver.Type(), in) {
			return true
		}
	}
	return false
}

func receiverOf(f *types.Func) *types.TypeName {
	of := f.Signature().Recv().Type()
	if pointer, ok := of.(*types.Pointer); ok {
		of = pointer.Elem()
	}
	return of.(*types.Named).Obj()
}

// emptyPackages stands for all imports: what this package calls of itself is known without.
type emptyPackages map[string]*types.Package

func (e emptyPackages) Import(name string) (*types.Package, error) {
	if e[name] == nil {
		e[name] = types.NewPackage(name, path.Base(name))
		e[name].MarkComplete()
	}
	return e[name], nil
}

func typesOfThisPackage(t *testing.T) (files []*ast.File, isTest []bool, uses *types.Info, pkg *types.Package) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	for _, entry := range entries {
		if path.Ext(entry.Name()) != ".go" {
			continue
		}
		file, err := parser.ParseFile(set, entry.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files, isTest = append(files, file), append(isTest, strings.HasSuffix(entry.Name(), "_test.go"))
	}
	uses = &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	// Errors are about imports, and about what stands once a platform.
	config := types.Config{Importer: emptyPackages{}, Error: func(error) {}}
	pkg, _ = config.Check("stats", set, files, uses)
	return files, isTest, uses, pkg
}
