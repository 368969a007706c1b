// Resolves compose files with Docker's own loader, as `docker compose config --format json` does, without Docker.
//
// Usage: compose-check [-profile NAME,NAME] FILE...; variables come from the environment. Exits with status 1 and prints
// the reason to standard error if the files are not valid or a required variable is missing.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	profile := flag.String("profile", "", "profiles to activate, separated by commas")
	flag.Parse()
	if err := resolve(flag.Args(), *profile); err != nil {
		fmt.Fprintln(os.Stderr, "compose-check:", err)
		os.Exit(1)
	}
}

func resolve(files []string, profile string) error {
	options, err := cli.NewProjectOptions(files, cli.WithOsEnv, cli.WithProfiles(strings.Split(profile, ",")))
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	resolved, err := project.MarshalJSON()
	if err != nil {
		return err
	}
	if !json.Valid(resolved) {
		return fmt.Errorf("the loader wrote no JSON")
	}
	_, err = os.Stdout.Write(resolved)
	return err
}
