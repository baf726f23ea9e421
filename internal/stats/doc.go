// Package stats is the mathematics under the plan-time evaluator:
//
//   - measures of drift on counts, proportions and samples, and the law of each
//     when nothing has drifted ([NewNoDrift], [NewNoDriftFor]), its power and the
//     shift it sees; as other tools compute them too ([EngineValue],
//     [NewEngineNoDrift]);
//   - sample sizes and power of comparisons ([NewProportionComparison],
//     [TTestSamples]), group-sequential designs ([NewSequential]);
//   - what noise does to gates, guardrails and service signals
//     ([AUCStandardError], [FalseAbort], [QuantileRanks]) and what persistence
//     and many monitors make of it ([MofNARL], [NoDrift.OverlappingAlarms],
//     [NewFamilyAlarms]).
//
// docs/statistics.md has the formulas, the sources and the measured errors.
//
// It works on slices and floats, knows nothing of models or policies, reads no
// clock and does no input or output. Every function is deterministic: the few
// simulations are seeded from their own arguments.
//
// Conventions, throughout:
//
//   - A distribution over bins is a slice with one element a bin. The baseline
//     (expected) comes first, the current window (actual) second.
//   - Logarithms are natural: divergences are in nats.
//   - Probabilities are in [0, 1], never percentages.
//   - Input that has no answer gives an error that names the argument. No
//     function panics, and none returns NaN. Where +Inf is an answer, the
//     function's own comment says so.
//
// Results are not rounded here, except by the functions of round.go, which the
// caller applies before it stores a figure: exp and log differ in the last bits
// between architectures.
package stats
