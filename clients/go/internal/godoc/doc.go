// Package godoc has no code but a test: that whatever is exported is explained.
package godoc
