package usherd_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	if code == 0 && !settles(before) {
		code = 1
	}
	os.Exit(code)
}

// settles says whether no goroutine is left of what the tests made.
func settles(before int) bool {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if runtime.NumGoroutine() <= before {
			return true
		}
	}
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	fmt.Printf("goroutines are left over: %d, before %d\n%s\n", runtime.NumGoroutine(), before, stacks)
	return false
}
