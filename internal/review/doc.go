// Package review judges sets of objects as a surface hands them over: it reads the
// data files of baselines, evaluates each object, and applies waivers and
// enforcement. It has no clock: the date that waivers are held against comes in.
package review
