// Reads documents for Istio as JSON, one a line, and takes each only if it has the shape of Istio's own API.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	mesh "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"
	security "istio.io/api/security/v1beta1"
)

type document struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Spec       json.RawMessage `json:"spec"`
}

func check(line []byte) (string, error) {
	var found document
	if err := json.Unmarshal(line, &found); err != nil {
		return "", err
	}
	name := found.APIVersion + "/" + found.Kind
	var shape proto.Message
	spec := found.Spec
	switch name {
	case "install.istio.io/v1alpha1/IstioOperator":
		var operator map[string]json.RawMessage
		if err := json.Unmarshal(spec, &operator); err != nil {
			return name, err
		}
		if len(operator) != 1 {
			return name, fmt.Errorf("expected meshConfig alone")
		}
		shape, spec = &mesh.MeshConfig{}, operator["meshConfig"]
	case "security.istio.io/v1/AuthorizationPolicy":
		shape = &security.AuthorizationPolicy{}
	case "networking.istio.io/v1alpha3/EnvoyFilter":
		shape = &networking.EnvoyFilter{}
	default:
		return name, fmt.Errorf("not known here")
	}
	return name, protojson.Unmarshal(spec, shape)
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		name, err := check(lines.Bytes())
		if err != nil {
			fmt.Fprintln(os.Stderr, name, err)
			os.Exit(1)
		}
		fmt.Println(name)
	}
}
