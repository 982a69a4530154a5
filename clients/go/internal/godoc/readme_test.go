package godoc

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheProgramsOfTheReadmeCompile(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	compiled := 0
	for _, block := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(readme(t), -1) {
		if !strings.HasPrefix(block[1], "package main") {
			continue
		}
		compiled++
		dir := t.TempDir()
		source := filepath.Join(dir, "main.go")
		// The file is seen as one of this module, where none is.
		overlay, err := json.Marshal(map[string]map[string]string{
			"Replace": {filepath.Join(root, "internal", "readmeprogram", "main.go"): source},
		})
		if err != nil {
			t.Fatal(err)
		}
		for path, text := range map[string][]byte{source: []byte(block[1]), filepath.Join(dir, "overlay.json"): overlay} {
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		command := exec.Command(
			"go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", os.DevNull, "./internal/readmeprogram",
		)
		command.Dir = root
		if said, err := command.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, said)
		}
	}
	if compiled == 0 {
		t.Error("there is no program")
	}
}

func TestTheReadmeSaysWhatTheModuleNeeds(t *testing.T) {
	module, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for pattern, said := range map[string]string{
		`(?m)^go (\d+\.\d+)`:              "Go %s or newer",
		`google\.golang\.org/grpc v(\S+)`: "%s;",
		`^module (\S+)`:                   "go get %s`",
	} {
		found := regexp.MustCompile(pattern).FindSubmatch(module)
		if found == nil {
			t.Fatalf("go.mod has no %s", pattern)
		}
		if want := fmt.Sprintf(said, found[1]); !strings.Contains(readme(t), want) {
			t.Errorf("it does not say %q", want)
		}
	}
}
