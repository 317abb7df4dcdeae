package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/roomgate/roomgate/config"
)

// rootCommand is roomgate itself. Alone it serves.
func (p *program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "roomgate [command]",
		Short: "A WebSocket gateway for what your backends publish to Redis",
		Long: `roomgate holds the WebSocket connections of your clients, checks their tokens, and sends
each of them what any backend publishes to its rooms in Redis:

    PUBLISH room:42 '{"text":"hi"}'

Without a command it serves. To see it at work, with nothing else installed: roomgate demo.`,
		Example: `  roomgate demo                                     try it
  JWT_SECRET=… REDIS_URL=redis://redis:6379 roomgate    serve
  roomgate token --sub u1 --room 42                 make a token
  roomgate publish 42 '{"text":"hi"}'               send to a room`,
		Args:                       noCommand,
		RunE:                       p.serve,
		Version:                    readBuild().String(),
		SilenceErrors:              true, // execute writes them
		SilenceUsage:               true,
		SuggestionsMinimumDistance: suggestionDistance,
	}
	// And no SetVersionTemplate: text/template makes the linker keep every method of every type, which are 8 MB.
	root.SetHelpFunc(writeHelp)
	root.SetUsageFunc(func(cmd *cobra.Command) error { writeHelp(cmd, nil); return nil })
	root.SetFlagErrorFunc(explainFlag)
	root.CompletionOptions.HiddenDefaultCmd = true

	flags := root.PersistentFlags()
	flags.SortFlags = false
	config.AddFlags(flags)
	flags.String(configFlag, "", "path of a YAML file of settings")

	root.AddCommand(p.serveCommand(), p.demoCommand(), p.tokenCommand(), p.explainCommand(), p.publishCommand(), p.tailCommand(),
		p.benchCommand(), p.checkCommand(), p.healthCommand(), versionCommand())
	return root
}

// noCommand is for arguments that are no command's name.
func noCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("unknown command %q%s", args[0], didYouMean(root, args[0], ""))
}

// explainFlag adds to the error of a bad flag what to do.
func explainFlag(cmd *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok || unknown.GetSpecifiedShortnames() != "" {
		return fmt.Errorf("%w; %s --help lists all", err, cmd.CommandPath())
	}
	flags := &cobra.Command{SuggestionsMinimumDistance: suggestionDistance}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		flags.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	return fmt.Errorf("unknown flag --%s%s", unknown.GetSpecifiedName(), didYouMean(flags, unknown.GetSpecifiedName(), "--"))
}

// suggestionDistance is how many letters may differ in what is suggested.
const suggestionDistance = 2

// didYouMean completes an error with those subcommands of names that are near to what was written.
func didYouMean(names *cobra.Command, written, prefix string) string {
	near := names.SuggestionsFor(written)
	if len(near) == 0 {
		return "; --help lists all"
	}
	for i := range near {
		near[i] = prefix + near[i]
	}
	return ": did you mean " + strings.Join(near, " or ") + "?"
}
