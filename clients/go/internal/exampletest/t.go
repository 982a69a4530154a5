// Package exampletest has what testable examples do without: a testing.TB.
package exampletest

import "testing"

// T stands for the *testing.T of a test.
type T struct {
	testing.TB
	ends []func()
}

// Helper does nothing.
func (t *T) Helper() {}

// Cleanup is done by End.
func (t *T) Cleanup(end func()) { t.ends = append(t.ends, end) }

// End does what was to be done at the end of the test.
func (t *T) End() {
	for number := range t.ends {
		t.ends[len(t.ends)-1-number]()
	}
}
