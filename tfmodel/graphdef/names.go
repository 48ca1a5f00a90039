package graphdef

import (
	"regexp"
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
// Keras 3 traces a model again when it exports it, which puts one and the same number behind every folder
// (block1_conv1_1, block1_pool_1, …): a number that all layers of a model end with is not part of their names.
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
	suffix := map[string]string{}
	for model, folders := range inModel {
		suffix[model] = commonNumber(folders)
	}
	short := map[string]map[string]bool{} // short name → scopes that would bear it
	for _, n := range nodes {
		name := shortName(n.Name, scopes[n.Name], suffix)
		if short[name] == nil {
			short[name] = map[string]bool{}
		}
		short[name][scopes[n.Name]] = true
	}
	names := make(map[string]layerName, len(nodes))
	for _, n := range nodes {
		scope := scopes[n.Name]
		name := shortName(n.Name, scope, suffix)
		if len(short[name]) > 1 {
			name = scope
		}
		names[n.Name] = layerName{scope, name, aliases(name, scope, n.Name)}
	}
	return names
}

func aliases(name, scope, node string) []string {
	var list []string
	for _, alias := range []string{scope, base(scope), node} {
		if alias != name && (len(list) == 0 || list[len(list)-1] != alias) {
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
	for i := 0; i < len(node); i++ {
		if node[i] == '/' {
			if f := node[:i]; !models[f] {
				return f, folder(f)
			}
		}
	}
	return node, folder(node)
}

var trailingNumber = regexp.MustCompile(`_\d+$`)

// commonNumber is the number that all folders end with, "_1", or "".
func commonNumber(folders map[string]bool) string {
	common := ""
	for f := range folders {
		number := trailingNumber.FindString(f)
		if number == "" || (common != "" && number != common) {
			return ""
		}
		common = number
	}
	if len(folders) < 2 {
		return ""
	}
	return common
}

func shortName(node, scope string, suffix map[string]string) string {
	if scope == node {
		return base(node)
	}
	return strings.TrimSuffix(base(scope), suffix[folder(scope)])
}

func folder(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i]
	}
	return ""
}

func base(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }
