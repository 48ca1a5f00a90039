package graphdef

import (
	"regexp"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
)

// outside are the operations that do more than to compute, and what they do. A SavedModel is a program: who may give one to
// a server could otherwise read its files, write them, or let a run wait for ever.
var outside = []struct {
	ops  *regexp.Regexp
	does string
}{
	{regexp.MustCompile(`^(ReadFile|WriteFile|MatchingFiles|RecordInput|LoadAndRemapMatrix|FixedUnigramCandidateSampler|FileSystemSetConfiguration|MergeV2Checkpoints|DistributedSave)$` +
		`|^(Save|Restore)|Dataset|Iterator|^Reader|Reader(V2)?$|^InitializeTableFromTextFile|^(Write|Create|Import|Close|Flush).*(Summary|Event)|SummaryWriter`), "reads or writes files"},
	{regexp.MustCompile(`^(DecodeProtoV2|EncodeProto)$`), "may read files"},
	{regexp.MustCompile(`^_*Debug`), "may send what it sees to files or other machines"},
	{regexp.MustCompile(`^(Eager)?PyFunc`), "runs Python"},
	{regexp.MustCompile(`^_*(Host)?(Send|Recv)$|^(Collective|Nccl|Rpc|TryRpc|RemoteCall|WorkerHeartbeat|ConfigureDistributed|ShutdownDistributed|Infeed|Outfeed)`), "talks to other machines"},
	{regexp.MustCompile(`Queue|^Barrier|^(OrderedMap|Map)?(Stage|Unstage|Peek)|^Mutex|Accumulator`), "may wait for ever"},
}

// restores are the operations outside that loading weights takes.
var restores = regexp.MustCompile(`^(Restore|RestoreV2|RestoreSlice|InitializeTableFromTextFile(V2)?)$`)

// Outside is the first node, among those that a run from the input to the outputs computes, that does more than to compute,
// and what it does; nil if there is none.
func Outside(g *Graph, input Ref, outputs ...Ref) (n *nodepb.NodeDef, does string) {
	names := g.behind(input, outputs, func(n *nodepb.NodeDef) bool { return doesOutside(n.Op) != "" })
	if len(names) == 0 {
		return nil, ""
	}
	n = g.Node(names[0])
	return n, doesOutside(n.Op)
}

// OutsideAtLoad is Outside for what loading a SavedModel runs: the nodes that it is restored and initialised by and those
// that its weights are read from, with all that they wait for and call. Restoring files are its purpose.
func OutsideAtLoad(def *graphpb.GraphDef, runs []string) (n *nodepb.NodeDef, does string) {
	functions := map[string]*functionpb.FunctionDef{}
	for _, f := range def.GetLibrary().GetFunction() {
		functions[f.GetSignature().GetName()] = f
	}
	needed := map[string]bool{}
	for _, name := range runs {
		for reached := range withControl(def, name) {
			needed[reached] = true
		}
	}
	seen := map[string]bool{}
	var look func(nodes []*nodepb.NodeDef, all bool)
	look = func(nodes []*nodepb.NodeDef, all bool) {
		for _, node := range nodes {
			if n != nil || !all && !needed[node.Name] {
				continue
			}
			if does = doesOutside(node.Op); does != "" && !restores.MatchString(node.Op) {
				n = node
				return
			}
			for _, name := range callees(node) {
				if f := functions[name]; f != nil && !seen[name] {
					seen[name] = true
					look(f.NodeDef, true)
				}
			}
		}
	}
	look(def.GetNode(), false)
	if n == nil {
		return nil, ""
	}
	return n, does
}

func doesOutside(op string) string {
	for _, o := range outside {
		if o.ops.MatchString(op) {
			return o.does
		}
	}
	return ""
}

// callees are the functions that a node may call.
func callees(n *nodepb.NodeDef) []string {
	names := []string{n.Op}
	for _, value := range n.Attr {
		switch v := value.GetValue().(type) {
		case *attrpb.AttrValue_Func:
			names = append(names, v.Func.GetName())
		case *attrpb.AttrValue_List:
			for _, f := range v.List.GetFunc() {
				names = append(names, f.GetName())
			}
		}
	}
	return names
}
