package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const (
	configFlag      = "config"
	settingsKey     = "settings" // annotation: the sections of settings that a command uses, spaces between
	refusesKey      = "refuses"  // annotation: flags of these sections that it does not take, spaces between
	allSettings     = "http admin auth rooms redis control limits gap drain log"
	helpColumns     = 110
	moreAboutNames  = "Each setting is also a variable, ROOMGATE_ and its name in capitals with _ for the dot"
	moreAboutConfig = ", and a key of the --config file"
)

// sections is what a command says in its annotation.
func sections(cmd *cobra.Command) []string { return strings.Fields(cmd.Annotations[settingsKey]) }

// uses is the annotation that says it.
func uses(sections string) map[string]string { return map[string]string{settingsKey: sections} }

// writeHelp writes what a command is for, an example, its flags, and then the settings it uses.
func writeHelp(cmd *cobra.Command, _ []string) {
	w := new(strings.Builder)
	text := cmd.Long
	if text == "" {
		text = cmd.Short
	}
	fmt.Fprintf(w, "%s\n\nUsage:\n  %s\n", strings.TrimSpace(text), cmd.UseLine())
	if cmd.HasExample() {
		fmt.Fprintf(w, "\nExamples:\n%s\n", cmd.Example)
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprint(w, "\nCommands:\n")
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(w, "  %-10s %s\n", sub.Name(), sub.Short)
			}
		}
	}
	if own := cmd.LocalNonPersistentFlags(); own.HasAvailableFlags() {
		fmt.Fprintf(w, "\nFlags:\n%s", own.FlagUsagesWrapped(helpColumns))
	}
	writeSettings(w, cmd)
	_, _ = io.WriteString(cmd.OutOrStdout(), w.String()) // who does not read it needs no help
}

// writeSettings writes the settings' flags in groups, as they stand in the table of settings.
func writeSettings(w *strings.Builder, cmd *cobra.Command) {
	used := sections(cmd)
	if cmd == cmd.Root() {
		fmt.Fprint(w, "\nSettings: roomgate serve --help lists them. roomgate COMMAND --help tells more of a command.\n")
		return
	}
	if len(used) == 0 {
		return
	}
	refused := strings.Fields(cmd.Annotations[refusesKey])
	all := cmd.Root().PersistentFlags()
	fmt.Fprintf(w, "\nSettings:\n  %s", moreAboutNames)
	if !slices.Contains(refused, configFlag) {
		group := pflag.NewFlagSet("", pflag.ContinueOnError)
		group.AddFlag(all.Lookup(configFlag))
		fmt.Fprintf(w, "%s.\n\n%s", moreAboutConfig, group.FlagUsagesWrapped(helpColumns))
	} else {
		fmt.Fprint(w, ".\n")
	}
	for _, section := range used {
		group := pflag.NewFlagSet(section, pflag.ContinueOnError)
		group.SortFlags = false
		all.VisitAll(func(f *pflag.Flag) {
			if strings.HasPrefix(f.Name, section+".") && !slices.Contains(refused, f.Name) {
				group.AddFlag(f)
			}
		})
		fmt.Fprintf(w, "\n%s", group.FlagUsagesWrapped(helpColumns))
	}
}
