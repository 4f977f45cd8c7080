package schema

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"reflect"
	"strings"
	"unicode"

	"tradewind/events"
)

// home is the path of package events, below which all contracts are.
var home = reflect.TypeFor[events.Money]().PkgPath()

// Docs are the comments of the types of contracts, read from their source.
type Docs struct {
	types    map[string]string // by the type's path and name
	packages map[string]string // by path
}

// ReadDocs reads the source below the folder of package events.
func ReadDocs(source fs.FS) (*Docs, error) {
	docs := &Docs{types: map[string]string{}, packages: map[string]string{}}
	err := fs.WalkDir(source, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(source, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		docs.read(path.Join(home, path.Dir(name)), file)
		return nil
	})
	return docs, err
}

func (d *Docs) read(pkg string, file *ast.File) {
	if file.Doc != nil {
		d.packages[pkg] = file.Doc.Text()
	}
	for _, declaration := range file.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok || group.Tok != token.TYPE {
			continue
		}
		for _, spec := range group.Specs {
			typ := spec.(*ast.TypeSpec)
			name := pkg + "." + typ.Name.Name
			d.types[name] = flat(typ.Doc.Text())
			if len(group.Specs) == 1 {
				d.types[name] = flat(group.Doc.Text())
			}
			body, ok := typ.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, field := range body.Fields.List {
				text := flat(field.Doc.Text())
				if text == "" {
					text = flat(field.Comment.Text())
				}
				for _, fieldName := range field.Names {
					d.types[name+"."+fieldName.Name] = text
				}
			}
		}
	}
}

// flat is a comment as one line.
func flat(text string) string { return strings.Join(strings.Fields(text), " ") }

// Field is the comment of a struct's field.
func (d *Docs) Field(typ reflect.Type, field string) string {
	return d.types[typ.PkgPath()+"."+typ.Name()+"."+field]
}

// Meaning is what the comment of an event's type says of the event, as a sentence
// of its own: of "CreatedV1 says that a customer …" it is "A customer …".
func (d *Docs) Meaning(typ reflect.Type) (string, error) {
	comment := d.types[typ.PkgPath()+"."+typ.Name()]
	rest, ok := strings.CutPrefix(comment, typ.Name()+" ")
	if !ok || comment == "" {
		return "", fmt.Errorf("the comment of %s does not begin with its name: %q", typ, comment)
	}
	if said, ok := strings.CutPrefix(rest, "says that "); ok {
		rest = said
	} else if !strings.HasPrefix(rest, "carries ") {
		return "", fmt.Errorf("the comment of %s begins with neither %q nor %q", typ, typ.Name()+" says that", typ.Name()+" carries")
	}
	return capital(rest), nil
}

// Publisher is what the comment of a publisher's package says beyond what it is.
func (d *Docs) Publisher(typ reflect.Type) (string, error) {
	comment, ok := d.packages[typ.PkgPath()]
	if !ok {
		return "", errors.New("no source of package " + typ.PkgPath())
	}
	first, _, _ := strings.Cut(comment, "\n\n")
	_, rest, _ := strings.Cut(flat(first), ". ")
	return rest, nil
}

func capital(text string) string {
	runes := []rune(text)
	runes[0] = unicode.ToUpper(runes[0])
	return string(runes)
}
