package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageError is a command line that is not understood.
type usageError struct {
	command *cobra.Command
	err     error
}

func (u usageError) Error() string {
	text := u.err.Error()
	if strings.HasSuffix(text, "?") {
		return fmt.Sprintf("%s See '%s --help'", text, u.command.CommandPath())
	}
	return fmt.Sprintf("%s; see '%s --help'", text, u.command.CommandPath())
}

func (u usageError) Unwrap() error { return u.err }

// someImages wants at least one argument.
func someImages(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usageError{cmd, errors.New("no image is given; name files, folders or patterns")}
	}
	return nil
}

// noArguments wants none. The flag is the one that people mean who give one all the same; "" if there is none.
func noArguments(flag string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		err := fmt.Errorf("%s takes no arguments, got %s", cmd.Name(), strings.Join(args, " "))
		if flag != "" {
			err = fmt.Errorf("%s takes no arguments; did you mean %s %s?", cmd.Name(), flag, args[0])
		}
		return usageError{cmd, err}
	}
}

// badFlag words an error of a flag.
func badFlag(cmd *cobra.Command, err error) error {
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		err = fmt.Errorf("--%s %q %s", bad.GetFlag().Name, bad.GetValue(), whatIsWrong(bad))
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		if near := nearFlags(cmd, unknown.GetSpecifiedName()); len(near) > 0 {
			err = fmt.Errorf("%w; did you mean %s?", err, strings.Join(near, " or "))
		}
	}
	return usageError{cmd, err}
}

// nearFlags are the flags of a command that look like what was typed, by the rule that cobra has for commands.
func nearFlags(cmd *cobra.Command, typed string) []string {
	if len(typed) < 3 { // anything is near
		return nil
	}
	flags := &cobra.Command{SuggestionsMinimumDistance: 2}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		flags.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	near := flags.SuggestionsFor(typed)
	for i, name := range near {
		near[i] = "--" + name
	}
	return near
}

// whatIsWrong continues "--top-k three …".
func whatIsWrong(bad *pflag.InvalidValueError) string {
	kind := bad.GetFlag().Value.Type()
	switch {
	case kind == "duration":
		return "is not a time such as 30s or 2m"
	case kind == "bool":
		return "is neither true nor false"
	case errors.Is(bad.Unwrap(), strconv.ErrRange):
		return "is out of range"
	case kind == "intSlice":
		return "is not a list of numbers such as 1,2"
	case errors.Is(bad.Unwrap(), strconv.ErrSyntax):
		if _, err := strconv.ParseFloat(bad.GetValue(), 64); err != nil {
			return "is not a number"
		}
		if kind == "uint" {
			return "is not a whole number from 0 on"
		}
		return "is not a whole number"
	default:
		return "is not known; " + bad.Unwrap().Error()
	}
}

// Texts that cobra has no types for.
var (
	exclusive      = regexp.MustCompile(`^if any flags in the group \[(\S+) (\S+)\] are set none of the others can be`)
	unknownCommand = regexp.MustCompile(`^unknown command ("(?:[^"\\]|\\.)*") for "[^"]*"`)
)

// reworded says in a person's words what cobra says of a command line.
func reworded(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	if flags := exclusive.FindStringSubmatch(err.Error()); flags != nil {
		return usageError{cmd, fmt.Errorf("--%s and --%s exclude each other", flags[1], flags[2])}
	}
	if name := unknownCommand.FindStringSubmatch(err.Error()); name != nil {
		typed, _ := strconv.Unquote(name[1])
		text := "unknown command " + name[1]
		if near := cmd.SuggestionsFor(typed); len(near) > 0 {
			text += "; did you mean " + strings.Join(near, " or ") + "?"
		}
		return usageError{cmd, errors.New(text)}
	}
	return err
}
