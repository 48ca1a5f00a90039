package graphdef

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
)

// layerName tells to which layer a node belongs.
type layerName struct {
	scope   string   // the layer's folder in the node names, or the node's own name outside of any
	name    string   // as people know it
	aliases []string // the full node name, the folder, …
}

// nameLayers finds the layer of every node. Keras writes node names as model/layer/…/operation, with models inside
// models. A folder is taken for a model if at least two folders in it hold weights of their own; the first folder below
// the models is the layer. A node that lies directly in a model is a layer by itself.
//
// Keras 3 opens the folder of every layer twice, once to build and once to call it, and TensorFlow puts a number behind
// the second: conv2d becomes conv2d_1, and conv2d_1 conv2d_1_2. Such a number is not part of the layer's name.
func nameLayers(nodes []*nodepb.NodeDef) map[string]layerName {
	models := findModels(nodes)
	scopes := make(map[string]string, len(nodes))
	inModel := map[string]map[string]bool{} // model → its layers' folders
	for _, n := range nodes {
		scope, model := layerScope(n.Name, models)
		scopes[n.Name] = scope
		if scope != n.Name {
			if inModel[model] == nil {
				inModel[model] = map[string]bool{}
			}
			inModel[model][scope] = true
		}
	}
	numbered := map[string]bool{}
	for model, folders := range inModel {
		numbered[model] = numberedByKeras(folders)
	}
	short := map[string]map[string]bool{} // short name → scopes that would bear it
	for _, n := range nodes {
		name := shortName(n.Name, scopes[n.Name], numbered)
		if short[name] == nil {
			short[name] = map[string]bool{}
		}
		short[name][scopes[n.Name]] = true
	}
	names := make(map[string]layerName, len(nodes))
	for _, n := range nodes {
		scope := scopes[n.Name]
		name := shortName(n.Name, scope, numbered)
		if len(short[name]) > 1 {
			name = scope
		}
		names[n.Name] = layerName{scope, name, aliases(name, scope, n.Name, short)}
	}
	return names
}

// aliases are the other names of a layer, but for those that are the name of another one.
func aliases(name, scope, node string, taken map[string]map[string]bool) []string {
	var list []string
	for _, alias := range []string{scope, base(scope), node} {
		if alias != name && len(taken[alias]) == 0 && !slices.Contains(list, alias) {
			list = append(list, alias)
		}
	}
	return list
}

// findModels is the set of folders that hold at least two folders with weights, "" included.
func findModels(nodes []*nodepb.NodeDef) map[string]bool {
	weighty := map[string]map[string]bool{}
	for _, n := range nodes {
		switch n.Op {
		case "Conv2D", "DepthwiseConv2dNative", "MatMul", "BatchMatMulV2", "Einsum", "FusedBatchNormV3":
		default:
			continue
		}
		for child := folder(n.Name); child != ""; child = folder(child) {
			parent := folder(child)
			if weighty[parent] == nil {
				weighty[parent] = map[string]bool{}
			}
			weighty[parent][child] = true
		}
	}
	models := map[string]bool{"": true}
	for parent, children := range weighty {
		if len(children) < 2 {
			continue
		}
		for p := parent; p != ""; p = folder(p) {
			models[p] = true
		}
	}
	return models
}

// layerScope is the first folder of a node's name that is not a model, and the model that it lies in.
func layerScope(node string, models map[string]bool) (scope, model string) {
	for i := range len(node) {
		if node[i] == '/' {
			if f := node[:i]; !models[f] {
				return f, folder(f)
			}
		}
	}
	return node, folder(node)
}

var trailingNumber = regexp.MustCompile(`_\d+$`)

// numberedByKeras tells whether Keras 3 put a number behind every folder of a model. People number from layer to layer
// (conv_1, conv_2); Keras does so only for a layer that is called again, whose numbers are then two apart.
func numberedByKeras(folders map[string]bool) bool {
	if len(folders) < 2 {
		return false
	}
	for f := range folders {
		number := trailingNumber.FindString(f)
		if number == "" {
			return false
		}
		n, err := strconv.Atoi(number[1:])
		if err != nil || folders[strings.TrimSuffix(f, number)+"_"+strconv.Itoa(n+1)] {
			return false
		}
	}
	return true
}

func shortName(node, scope string, numbered map[string]bool) string {
	switch {
	case scope == node && numbered[folder(node)]:
		return strings.ToLower(base(node)) // Keras calls the operation Add_1 of TensorFlow add_1
	case scope == node:
		return base(node)
	case numbered[folder(scope)]:
		return trailingNumber.ReplaceAllString(base(scope), "")
	default:
		return base(scope)
	}
}

func folder(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i]
	}
	return ""
}

func base(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }
