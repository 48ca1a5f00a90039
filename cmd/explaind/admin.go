package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// adminCommand is about the models of a server that was started with --admin.
func (a *app) adminCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "admin",
		Short: "Load, unload and label the models of a server",
		Long: `Loads, unloads and labels the models of a server that was started with --admin. What is done lasts until
that server ends; what is to last longer belongs into its configuration.`,
		Example: `  explaind admin load resnet50 3 --server 127.0.0.1:8500
  explaind admin label resnet50 stable 3 --server 127.0.0.1:8500
  explaind admin unload resnet50 2 --server 127.0.0.1:8500`,
	}
	cmd.AddCommand(
		a.adminAction("load MODEL [VERSION]", "Load a version now, or the latest, and wait until it serves",
			`Loads a version now, and waits until it serves: one that has just been copied, that the version policy
leaves out, that was unloaded, or that failed before. Without VERSION, it undoes every unload of the model and
waits for the version that the policy wants first.`, 1, a.loadModel),
		a.adminAction("unload MODEL [VERSION]", "Take a version, or a whole model, out of service",
			`Takes a version, or all of the model, out of service; calls under way are finished. It stays so until it is
loaded again. If the version policy has another version to put in its place, that one is loaded; to leave no gap,
load it first.`, 1, a.unloadModel),
		a.adminAction("label MODEL LABEL VERSION", "Give a label to a version, or take it away",
			`Gives a label to a version that is ready, or moves it there. VERSION 0 removes the label.`, 3, a.labelModel),
	)
	return cmd
}

// modelVersion is what an admin command is about.
type modelVersion struct {
	model, label string
	version      int64
}

// adminAction is one command; least is how many arguments it must have, of the model, its label and its version.
func (a *app) adminAction(use, short, long string, least int, do func(context.Context, pb.ModelAdminServiceClient, modelVersion) (string, error)) *cobra.Command {
	var f modelFlags
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < least || len(args) > max(least, 2) {
				return usageError{cmd, fmt.Errorf("wanted: %s", cmd.Use)}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			about := modelVersion{model: args[0]}
			if least == 3 {
				about.label = args[1]
			}
			if len(args) >= 2 {
				var err error
				if about.version, err = strconv.ParseInt(args[len(args)-1], 10, 64); err != nil || about.version < 0 {
					return usageError{cmd, fmt.Errorf("VERSION is a number, got %q", args[len(args)-1])}
				}
			}
			return a.administer(cmd.Context(), f, about, do)
		},
	}
	f.registerServer(cmd.Flags(), "the server's `HOST:PORT` (required)")
	return cmd
}

func (a *app) administer(ctx context.Context, f modelFlags, about modelVersion, do func(context.Context, pb.ModelAdminServiceClient, modelVersion) (string, error)) error {
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
	said, err := do(ctx, pb.NewModelAdminServiceClient(connection), about)
	if status.Code(err) == codes.Unimplemented {
		return errors.New("the server does not let its models be administered; start it with --admin")
	}
	if err != nil {
		return ofServer(err)
	}
	_, err = fmt.Fprintln(a.stdout, said)
	return err
}

func (a *app) loadModel(ctx context.Context, c pb.ModelAdminServiceClient, of modelVersion) (string, error) {
	answer, err := c.LoadModel(ctx, &pb.LoadModelRequest{Model: of.model, Version: of.version})
	return fmt.Sprintf("%s version %d serves", answer.GetModel().GetName(), answer.GetModel().GetVersion()), err
}

func (a *app) unloadModel(ctx context.Context, c pb.ModelAdminServiceClient, of modelVersion) (string, error) {
	_, err := c.UnloadModel(ctx, &pb.UnloadModelRequest{Model: of.model, Version: of.version})
	if of.version == 0 {
		return of.model + " takes no new calls", err
	}
	return fmt.Sprintf("%s version %d takes no new calls", of.model, of.version), err
}

func (a *app) labelModel(ctx context.Context, c pb.ModelAdminServiceClient, of modelVersion) (string, error) {
	_, err := c.SetVersionLabel(ctx, &pb.SetVersionLabelRequest{Model: of.model, Label: of.label, Version: of.version})
	if of.version == 0 {
		return fmt.Sprintf("%s has no version %s any more", of.model, of.label), err
	}
	return fmt.Sprintf("%s version %d is %s", of.model, of.version, of.label), err
}
