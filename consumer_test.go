package umami_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The consumer module, which every build compiles, leaves no public name out.
func TestConsumerNamesAll(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{"umami": ".", "umamitest": "umamitest"} {
		assert.Subset(t, namesUsed(t, filepath.Join("internal", "testdata", "consumer", name+".go")), publicNames(t, dir), name)
	}
}

// namesUsed are the names that a file takes from packages, their methods and
// fields: "Client", "Client.GetRealtime", "Gap.From".
func namesUsed(t *testing.T, path string) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(gotoken.NewFileSet(), path, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			names = append(names, prefix(n.X)+n.Sel.Name)
		case *ast.CompositeLit:
			for _, element := range n.Elts {
				if field, ok := element.(*ast.KeyValueExpr); ok {
					names = append(names, prefix(n.Type)+field.Key.(*ast.Ident).Name)
				}
			}
		}
		return true
	})
	return names
}

// prefix is what a package's type puts before a method or a field.
func prefix(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return prefix(x.X)
	case *ast.StarExpr:
		return prefix(x.X)
	case *ast.SelectorExpr:
		return x.Sel.Name + "."
	}
	return "" // the package itself
}

// publicNames are the names that a package exports.
func publicNames(t *testing.T, dir string) (names []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	var files []*ast.File
	set := gotoken.NewFileSet()
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution|parser.ParseComments)
		require.NoError(t, err)
		files = append(files, file)
	}
	p, err := doc.NewFromFiles(set, files, "github.com/seed721439b2/umami-go/"+dir)
	require.NoError(t, err)
	values := append(p.Consts, p.Vars...)
	funcs := p.Funcs
	for _, typ := range p.Types {
		names = append(names, typ.Name)
		values = append(append(values, typ.Consts...), typ.Vars...)
		funcs = append(funcs, typ.Funcs...)
		for _, m := range typ.Methods {
			names = append(names, typ.Name+"."+m.Name)
		}
		for _, field := range publicFields(typ.Decl) {
			names = append(names, typ.Name+"."+field)
		}
	}
	for _, v := range values {
		for _, name := range v.Names {
			if ast.IsExported(name) {
				names = append(names, name)
			}
		}
	}
	for _, f := range funcs {
		names = append(names, f.Name)
	}
	require.NotEmpty(t, names)
	return names
}

func publicFields(decl *ast.GenDecl) (names []string) {
	for _, spec := range decl.Specs {
		s, ok := spec.(*ast.TypeSpec).Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, field := range s.Fields.List {
			for _, name := range field.Names {
				if name.IsExported() {
					names = append(names, name.Name)
				}
			}
		}
	}
	return names
}
