// Package stories has no code but tests: of the client against usherd itself. They need the story server of the project
// (tests/tools/story_server) and its Python, and run with -tags stories; `make test-client-go` does.
package stories
