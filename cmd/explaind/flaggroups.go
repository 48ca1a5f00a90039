package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// groupKey is the annotation of flags that stand under a title of their own in the help.
const groupKey = "explaind_group"

// group puts the flags that add adds under a title of their own in the help of the command.
func group(cmd *cobra.Command, title string, add func()) {
	flags, before := cmd.Flags(), map[string]bool{}
	flags.VisitAll(func(f *pflag.Flag) { before[f.Name] = true })
	add()
	flags.VisitAll(func(f *pflag.Flag) {
		if !before[f.Name] {
			f.Annotations = map[string][]string{groupKey: {title}}
		}
	})
	cobra.AddTemplateFunc("groupedFlags", groupedFlags)
	cmd.SetUsageTemplate(strings.Replace(cmd.UsageTemplate(),
		".LocalFlags.FlagUsages | trimTrailingWhitespaces", "groupedFlags .LocalFlags", 1))
}

// groupedFlags is the help of the flags: first those of no group, then each group under its title. On a terminal, long lines
// are broken at its width.
func groupedFlags(flags *pflag.FlagSet) string {
	var titles []string
	sets := map[string]*pflag.FlagSet{}
	flags.VisitAll(func(f *pflag.Flag) {
		title := groupOf(f)
		if sets[title] == nil {
			sets[title] = pflag.NewFlagSet("", pflag.ContinueOnError)
			sets[title].SortFlags = flags.SortFlags
			if title != "" {
				titles = append(titles, title)
			}
		}
		sets[title].AddFlag(f)
	})
	width, _, _ := term.GetSize(int(os.Stdout.Fd())) // 0 where that is no terminal: lines stay whole
	var out strings.Builder
	if rest := sets[""]; rest != nil {
		out.WriteString(rest.FlagUsagesWrapped(width))
	}
	for _, title := range titles {
		out.WriteString("\n" + title + ":\n" + sets[title].FlagUsagesWrapped(width))
	}
	return strings.TrimRight(out.String(), "\n")
}

// groupOf is the title that a flag stands under, "" for none.
func groupOf(f *pflag.Flag) string { return strings.Join(f.Annotations[groupKey], "") }
