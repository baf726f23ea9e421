// Package functions has the provider functions: the evaluator's statistics, for
// preconditions, check blocks, variable validation and outputs. Each is pure and
// works offline.
package functions

import (
	"context"
	"fmt"
	"math/big"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// argument is one parameter of a function.
type argument struct {
	name        string
	list        bool
	description string
}

// definition is one provider function. compute gets a []float64 for a list
// argument and a float64 for any other, and returns a float64 or a string. An
// error may name the argument it is about by wrapping it in argumentError.
type definition struct {
	name        string
	summary     string
	description string
	arguments   []argument
	text        bool
	compute     func(arguments []any) (any, error)
}

// argumentError is an error about one argument, counted from 0.
type argumentError struct {
	argument int
	err      error
}

func (e *argumentError) Error() string { return e.err.Error() }
func (e *argumentError) Unwrap() error { return e.err }

var _ function.Function = (*definition)(nil)

// All lists the constructors of the provider's functions.
func All() []func() function.Function {
	out := make([]func() function.Function, 0, len(definitions))
	for i := range definitions {
		out = append(out, func() function.Function { return &definitions[i] })
	}
	return out
}

// Metadata names the function.
func (d *definition) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = d.name
}

// Definition declares parameters and result.
func (d *definition) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{Summary: d.summary, MarkdownDescription: d.description, Return: function.NumberReturn{}}
	if d.text {
		resp.Definition.Return = function.StringReturn{}
	}
	for _, a := range d.arguments {
		if a.list {
			resp.Definition.Parameters = append(resp.Definition.Parameters, function.ListParameter{Name: a.name, MarkdownDescription: a.description, ElementType: types.NumberType})
			continue
		}
		resp.Definition.Parameters = append(resp.Definition.Parameters, function.NumberParameter{Name: a.name, MarkdownDescription: a.description})
	}
}

// Run computes the function's value.
func (d *definition) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	arguments := make([]any, len(d.arguments))
	for i, a := range d.arguments {
		if !a.list {
			var number types.Number
			if resp.Error = req.Arguments.GetArgument(ctx, i, &number); resp.Error != nil {
				return
			}
			arguments[i], _ = number.ValueBigFloat().Float64()
			continue
		}
		var list types.List
		if resp.Error = req.Arguments.GetArgument(ctx, i, &list); resp.Error != nil {
			return
		}
		numbers, err := floats(list.Elements())
		if err != nil {
			resp.Error = function.NewArgumentFuncError(int64(i), fmt.Sprintf("%s: %s", a.name, err))
			return
		}
		arguments[i] = numbers
	}
	result, err := d.compute(arguments)
	if err != nil {
		if about, ok := err.(*argumentError); ok { //nolint:errorlint // made by compute itself, never wrapped
			resp.Error = function.NewArgumentFuncError(int64(about.argument), fmt.Sprintf("%s: %s", d.arguments[about.argument].name, about.err))
			return
		}
		resp.Error = function.NewFuncError(fmt.Sprintf("%s: %s", d.name, err))
		return
	}
	if f, ok := result.(float64); ok {
		result = big.NewFloat(f)
	}
	resp.Error = resp.Result.Set(ctx, result)
}

func floats(elements []attr.Value) ([]float64, error) {
	out := make([]float64, len(elements))
	for i, element := range elements {
		number, ok := element.(types.Number)
		if !ok || number.IsNull() {
			return nil, fmt.Errorf("element %d is null", i)
		}
		out[i], _ = number.ValueBigFloat().Float64()
	}
	return out, nil
}
