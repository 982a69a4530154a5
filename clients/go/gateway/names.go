package gateway

import "strings"

// enough is how many bytes of a name are looked at: more than any that counts has.
const enough = 64

// meant says whether some reader takes a name for another one: encoding/json and .NET make nothing of its case, Express and
// PHP read "model[]" and "[model]" in forms as "model".
func meant(name, known string) bool {
	if name == known {
		return true
	}
	bare := name[:min(len(name), enough)]
	if strings.ContainsAny(bare, "[]") {
		bare = strings.TrimLeft(bare, "[")
		if end := strings.IndexAny(bare, "[]"); end >= 0 {
			bare = bare[:end]
		}
	}
	return strings.EqualFold(bare, known)
}
