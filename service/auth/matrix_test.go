package auth

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/explaind/explaind"
)

// tokenOf makes a token that is as long as those of openssl rand -hex 32.
func tokenOf(name string) string { return (name + strings.Repeat("0123456789abcdef", 4))[:64] }

// tokensOf is a tokens file with a token of all groups, one of each group, one of all but each group, and an expired one.
func tokensOf() string {
	var b strings.Builder
	add := func(name string, groups []Group, more string) {
		fmt.Fprintf(&b, "- {name: %s, token: %s, groups: [", name, tokenOf(name))
		for i, g := range groups {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(string(g))
		}
		b.WriteString("]" + more + "}\n")
	}
	add("all", Groups, "")
	add("expired", Groups, ", expires: 2020-01-31")
	for _, g := range Groups {
		add("only-"+string(g), []Group{g}, ", expires: 2999-12-31T23:59:59Z")
		add("all-but-"+string(g), slices.DeleteFunc(slices.Clone(Groups), func(other Group) bool { return other == g }), "")
	}
	return b.String()
}

// reflected lists every method of the server, as its reflection has them.
func reflected(t *testing.T, conn *grpc.ClientConn, header string) []string {
	t.Helper()
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", header)
	stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	must(t, err)
	ask := func(r *reflectionpb.ServerReflectionRequest) *reflectionpb.ServerReflectionResponse {
		must(t, stream.Send(r))
		answer, err := stream.Recv()
		must(t, err)
		return answer
	}
	var all []string
	list := ask(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}})
	for _, s := range list.GetListServicesResponse().GetService() {
		before := len(all)
		files := ask(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: s.GetName()}})
		for _, raw := range files.GetFileDescriptorResponse().GetFileDescriptorProto() {
			var file descriptorpb.FileDescriptorProto
			must(t, proto.Unmarshal(raw, &file))
			for _, service := range file.GetService() {
				if file.GetPackage()+"."+service.GetName() != s.GetName() {
					continue
				}
				for _, m := range service.GetMethod() {
					all = append(all, "/"+s.GetName()+"/"+m.GetName())
				}
			}
		}
		if len(all) == before {
			t.Fatalf("reflection knows no method of %s", s.GetName())
		}
	}
	must(t, stream.CloseSend())
	if len(all) < 20 {
		t.Fatalf("reflection knows %v only", all)
	}
	return all
}

// Every method is denied to everybody who has not the right token, with the exact code and reason, and its handler does not
// run. Methods come from reflection: a new one that is in no group fails here.
func TestEveryMethodIsGuarded(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("late=%v", late), func(t *testing.T) {
			var told atomic.Int64
			r := newRig(t, setup{tokens: tokensOf(), late: late, denied: func(string, *explaind.Error) { told.Add(1) }})
			conn := r.dial(nil)
			methods := reflected(t, conn, "Bearer "+tokenOf("all"))
			denials := 0
			for _, method := range methods {
				group, known := groupOf(method)
				if !known {
					t.Errorf("%s is in no group", method)
					continue
				}
				if strings.HasSuffix(method, "/Watch") { // of health, which never ends by itself
					continue
				}
				if group == anyone {
					for _, headers := range [][]string{nil, {"Bearer nonsense"}, {"a", "b"}} {
						if err := call(t, conn, method, headers...); status.Code(err) != codes.OK {
							t.Errorf("%s with %q: %v", method, headers, err)
						}
					}
					continue
				}
				for _, c := range denialsOf(group) {
					before := r.reached.Load()
					err := call(t, conn, method, c.headers...)
					if status.Code(err) != c.code || reasonOf(err) != c.reason {
						t.Errorf("%s, %s: %v %s, want %v %s", method, c.what, err, reasonOf(err), c.code, c.reason)
					}
					if r.reached.Load() != before {
						t.Errorf("%s, %s: the handler ran", method, c.what)
					}
					lacks(t, "the error", err.Error(), c.secret, tokenOf("all"))
					denials++
				}
				for _, headers := range []string{"Bearer " + tokenOf("only-"+string(group)), "bearer " + tokenOf("all")} {
					before := r.reached.Load()
					err := call(t, conn, method, headers)
					if r.reached.Load() != before+1 {
						t.Errorf("%s is denied to %s: %v", method, headers, err)
					}
				}
			}
			if want := int64(denials); !late && told.Load() != want {
				t.Errorf("Denied was told of %d denials of %d", told.Load(), want)
			}
			if denials < 13*13 {
				t.Errorf("only %d denials were tried", denials)
			}
			lacks(t, "the log", r.log.String(), tokenOf("all"), tokenOf("expired"), tokenOf("only-"), "stranger", "cGFzc3dvcmQ")
		})
	}
}

// denial is one way not to be let in.
type denial struct {
	what    string
	headers []string
	code    codes.Code
	reason  string
	secret  string // must not come back
}

func denialsOf(group Group) []denial {
	const (
		no      = codes.Unauthenticated
		never   = codes.PermissionDenied
		bad     = "BAD_AUTHORIZATION"
		unknown = "TOKEN_UNKNOWN"
	)
	all, long := tokenOf("all"), strings.Repeat("stranger", 1<<10)
	return []denial{
		{"no token", nil, no, "TOKEN_MISSING", ""},
		{"empty header", []string{""}, no, "TOKEN_MISSING", ""},
		{"scheme only", []string{"Bearer"}, no, bad, ""},
		{"scheme and blank", []string{"Bearer "}, no, bad, ""},
		{"no scheme", []string{all}, no, bad, all},
		{"wrong scheme", []string{"Basic " + all}, no, bad, all},
		{"basic", []string{"Basic dXNlcjpwYXNzd29yZA=="}, no, bad, "dXNlcjpwYXNzd29yZA=="},
		{"two blanks", []string{"Bearer  " + all}, no, bad, all},
		{"comma", []string{"Bearer " + all + ", Bearer " + all}, no, bad, all},
		{"more behind it", []string{"Bearer " + all + " x"}, no, bad, all},
		{"two headers", []string{"Bearer " + all, "Bearer " + all}, no, bad, all},
		{"two headers, one empty", []string{"", "Bearer " + all}, no, bad, all},
		{"unknown", []string{"Bearer strangerstrangerstranger"}, no, unknown, "strangerstranger"},
		{"nearly right", []string{"Bearer " + all[:63]}, no, unknown, all[:63]},
		{"right and more", []string{"Bearer " + all + "0"}, no, unknown, all},
		{"very long", []string{"Bearer " + long}, no, unknown, long},
		{"expired", []string{"Bearer " + tokenOf("expired")}, no, "TOKEN_EXPIRED", tokenOf("expired")},
		{"wrong group", []string{"Bearer " + tokenOf("all-but-"+string(group))}, never, "GROUP_NOT_ALLOWED", tokenOf("all-but-" + string(group))},
	}
}

// Which group is lacking stands in the text and in the details.
func TestWrongGroupIsNamed(t *testing.T) {
	r := newRig(t, setup{tokens: tokensOf()})
	err := call(t, r.dial(nil), "/explaind.v1.ExplainService/Explain", "Bearer "+tokenOf("only-predict"))
	for _, want := range []string{"only-predict", "explain"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named: %v", want, err)
		}
	}
}

// A header that is larger than the server takes ends the call, not the connection, and the handler does not run.
func TestHugeToken(t *testing.T) {
	r := newRig(t, setup{tokens: tokensOf()})
	conn := r.dial(nil)
	if err := call(t, conn, "/explaind.v1.ExplainService/Predict", "Bearer "+tokenOf("all")); err != nil {
		t.Fatal(err)
	}
	if err := call(t, conn, "/explaind.v1.ExplainService/Predict", "Bearer "+strings.Repeat("x", 1<<20)); err == nil || r.reached.Load() != 1 {
		t.Errorf("a token of 1 MiB: %v", err)
	}
	if err := call(t, conn, "/explaind.v1.ExplainService/Predict", "Bearer "+tokenOf("all")); err != nil {
		t.Error(err)
	}
}

func TestGroupOf(t *testing.T) {
	for path, want := range map[string]string{
		"/explaind.v1.ExplainService/Predict":                    "predict",
		"/explaind.v1.ModelAdminService/AnythingNew":             "admin",
		"/grpc.channelz.v1.Channelz/GetServers":                  "admin",
		"/grpc.reflection.v1.ServerReflection/X":                 "models",
		"/grpc.health.v1.Health/Check":                           "anyone",
		"explaind.v1.ExplainService/Predict":                     "none",
		"/explaind.v1.ExplainService/AnythingNew":                "none",
		"/explaind.v1.ExplainService/":                           "none",
		"//explaind.v1.ExplainService/Predict":                   "none",
		"/grpc.health.v1.Health/":                                "none",
		"/grpc.health.v1.Health":                                 "none",
		"grpc.health.v1.Health/Check":                            "none",
		"/grpc.health.v1.Health/Check/":                          "none",
		"/grpc.health.v1.Health/x/Predict":                       "none",
		"/grpc.health.v1.Health/../explaind.v1.ExplainService/X": "none",
		"/Grpc.Health.V1.Health/Check":                           "none",
		"":                                                       "none",
		"/":                                                      "none",
	} {
		group, known := groupOf(path)
		got := string(group)
		if !known {
			got = "none"
		} else if group == anyone {
			got = "anyone"
		}
		if got != want {
			t.Errorf("%q is of %s, want %s", path, got, want)
		}
	}
}
