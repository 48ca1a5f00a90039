package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/status"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// versionLine is what models --json prints for a version of a model.
type versionLine struct {
	Model   string   `json:"model"`
	Version int64    `json:"version"`
	State   string   `json:"state"`
	Digest  string   `json:"digest,omitempty"`
	Labels  []string `json:"labels,omitempty"`
	Error   *failure `json:"error,omitempty"`
}

func (a *app) modelsCommand() *cobra.Command {
	var f modelFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "models --server HOST:PORT",
		Short:   "List the models of a server",
		Long:    `Lists the models of a server with their versions, states and labels, and why a version could not be loaded.`,
		Example: `  explaind models --server 127.0.0.1:8500`,
		Args:    noArguments("--server"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.models(cmd.Context(), f, asJSON)
		},
	}
	f.registerServer(cmd.Flags(), "ask the server at `HOST:PORT` (required)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per version of a model")
	return cmd
}

func (a *app) models(ctx context.Context, f modelFlags, asJSON bool) error {
	if f.server == "" {
		return errors.New("--server is missing; give the gRPC address of a server, such as 127.0.0.1:8500")
	}
	ctx, cancel := f.withTimeout(ctx)
	defer cancel()
	connection, err := f.dialServer()
	if err != nil {
		return err
	}
	defer connection.Close()
	list, err := pb.NewExplainServiceClient(connection).ListModels(ctx, &pb.ListModelsRequest{})
	if err != nil {
		return ofServer(err)
	}
	rows := [][]string{{"MODEL", "VERSION", "STATE", "LABELS", "DIGEST", ""}}
	for _, m := range list.GetModels() {
		for _, v := range m.GetVersions() {
			line := versionLine{Model: m.GetName(), Version: v.GetVersion(), State: lower("MODEL_STATE_", v.GetState()), Digest: v.GetDigest(), Labels: v.GetLabels()}
			why := ""
			if err := status.ErrorProto(v.GetStatus()); err != nil {
				f := failureOf(err)
				line.Error, why = &f, describe(err)
			}
			if asJSON {
				if err := json.NewEncoder(a.stdout).Encode(line); err != nil {
					return err
				}
			}
			rows = append(rows, []string{line.Model, strconv.FormatInt(line.Version, 10), line.State, strings.Join(line.Labels, ", "), line.Digest[:min(len(line.Digest), 12)], why})
		}
	}
	if asJSON {
		return nil
	}
	_, err = fmt.Fprint(a.stdout, table(rows))
	return err
}
