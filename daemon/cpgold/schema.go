package main

import (
	"io"

	"cpgol/compat/conf"
)

// printSchema prints the JSON Schema of the TOML configuration, for editors.
func printSchema(args []string, stdout, stderr io.Writer) int {
	return printText("schema", conf.JSONSchema, args, stdout, stderr)
}

// printExample prints a commented configuration with all fields.
func printExample(args []string, stdout, stderr io.Writer) int {
	return printText("example", conf.Example, args, stdout, stderr)
}

func printText(name string, text func() []byte, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		return misused(stderr, name, "unexpected argument %q; usage: cpgold %s", args[0], name)
	}
	if _, err := stdout.Write(text()); err != nil {
		return 1
	}
	return 0
}
