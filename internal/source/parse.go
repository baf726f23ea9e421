package source

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	hcljson "github.com/hashicorp/hcl/v2/json"
)

// maximumDepth is how deep brackets and unary operators may nest: the parser is
// recursive, and a stack that overflows cannot be caught.
const maximumDepth = 1000

// parseHCL reads native syntax or, for .json, its JSON form.
func parseHCL(file string, content []byte) (hcl.Body, []Problem) {
	if strings.HasSuffix(file, ".json") {
		// encoding/json limits the depth, and says one thing where HCL says three.
		var discard json.RawMessage
		if err := json.Unmarshal(content, &discard); err != nil {
			return nil, []Problem{jsonProblem(file, content, "is not valid JSON", err)}
		}
		parsed, diagnostics := hcljson.Parse(content, file)
		if problems := problemsOf(diagnostics); len(problems) > 0 {
			return nil, problems
		}
		return parsed.Body, nil
	}
	if p, deep := tooDeep(file, content); deep {
		return nil, []Problem{p}
	}
	parsed, diagnostics := hclsyntax.ParseConfig(content, file, hcl.InitialPos)
	if problems := problemsOf(diagnostics); len(problems) > 0 {
		return nil, problems[:1] // what follows is what the parser made of the first
	}
	return parsed.Body, nil
}

func tooDeep(file string, content []byte) (Problem, bool) {
	tokens, _ := hclsyntax.LexConfig(content, file, hcl.InitialPos)
	depth, unary, questions := 0, 0, 0
	for _, token := range tokens {
		switch token.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
			depth--
		case hclsyntax.TokenBang, hclsyntax.TokenMinus:
			unary++
			if unary <= maximumDepth {
				continue
			}
		case hclsyntax.TokenQuestion:
			questions++
		}
		if depth > maximumDepth || unary > maximumDepth || questions > 10*maximumDepth {
			return problemAt(token.Range, "expressions nest too deeply: more than %d levels", maximumDepth), true
		}
		unary = 0
	}
	return Problem{}, false
}

// isOverride reports whether Terraform merges a file into the others instead of
// adding its blocks to theirs.
func isOverride(file string) bool {
	name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(file), ".json"), terraformSuffix)
	return name == "override" || strings.HasSuffix(name, "_override")
}

var terraformSchema = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
	{Type: "resource", LabelNames: []string{"type", "name"}},
	{Type: "variable", LabelNames: []string{"name"}},
	{Type: "locals"},
}}

// metaSchema is what Terraform itself reads in a resource's body.
var metaSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "count"}, {Name: "for_each"}, {Name: "provider"}, {Name: "depends_on"}},
	Blocks:     []hcl.BlockHeaderSchema{{Type: "lifecycle"}, {Type: "connection"}, {Type: "provisioner", LabelNames: []string{"type"}}},
}

func isMetaBlock(name string) bool {
	return slices.ContainsFunc(metaSchema.Blocks, func(b hcl.BlockHeaderSchema) bool { return b.Type == name })
}

// bodyOf reads a block's attributes, meta arguments apart.
func (b *block) bodyOf(body hcl.Body) []Problem {
	meta, remain, diagnostics := body.PartialContent(metaSchema)
	problems := problemsOf(diagnostics)
	if meta != nil {
		b.count, b.forEach = meta.Attributes["count"], meta.Attributes["for_each"]
	}
	native, isNative := body.(*hclsyntax.Body)
	if !isNative {
		attributes, diagnostics := remain.JustAttributes()
		b.attributes = attributes
		return append(problems, problemsOf(diagnostics)...)
	}
	for _, nested := range native.Blocks {
		if isMetaBlock(nested.Type) {
			continue
		}
		message := fmt.Sprintf("%s has no block %q", b.kind.Name, nested.Type)
		if _, ok := b.kind.Schema.Attributes[nested.Type]; ok {
			message = fmt.Sprintf("%s is an attribute, not a block: write %s = { ... }", nested.Type, nested.Type)
		}
		problems = append(problems, problemAt(nested.DefRange(), "%s", message))
	}
	attributes, _ := remain.JustAttributes() // its diagnostics are about blocks
	b.attributes = attributes
	return problems
}
