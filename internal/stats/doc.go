// Package stats is the mathematics under the plan-time evaluator: divergences
// between binned distributions, the law of the population stability index when
// nothing has drifted, sample sizes, group-sequential boundaries, and the
// chance that a guardrail aborts a healthy rollout.
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
