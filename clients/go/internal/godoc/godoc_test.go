package godoc

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhateverIsExportedIsExplained(t *testing.T) {
	explained := 0
	for _, name := range []string{"usherd", "gateway", "usherdhttp", "usherdgrpc", "usherdtest"} {
		files, fset := []*ast.File{}, token.NewFileSet()
		paths, err := filepath.Glob(filepath.Join("..", "..", name, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			file, err := parser.ParseFile(fset, path, source, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
		read, err := doc.NewFromFiles(fset, files, "github.com/usherd/usherd/clients/go/"+name)
		if err != nil {
			t.Fatal(err)
		}
		check := func(what, text string) {
			explained++
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s.%s is not explained", name, what)
			}
		}
		check("(package)", read.Doc)
		for _, function := range read.Funcs {
			check(function.Name, function.Doc)
		}
		for _, kind := range read.Types {
			check(kind.Name, kind.Doc)
			for _, function := range append(kind.Funcs, kind.Methods...) {
				check(kind.Name+"."+function.Name, function.Doc)
			}
			for _, value := range append(kind.Consts, kind.Vars...) {
				checkValues(t, name, value)
			}
		}
		for _, value := range append(read.Consts, read.Vars...) {
			checkValues(t, name, value)
		}
	}
	if explained < 100 {
		t.Errorf("only %d things were found", explained)
	}
}

// checkValues takes a comment on the group for one on each of its values.
func checkValues(t *testing.T, name string, value *doc.Value) {
	t.Helper()
	for _, spec := range value.Decl.Specs {
		each := spec.(*ast.ValueSpec)
		if each.Names[0].IsExported() && value.Doc == "" && each.Doc.Text() == "" && each.Comment.Text() == "" {
			t.Errorf("%s.%s is not explained", name, each.Names[0])
		}
	}
}
