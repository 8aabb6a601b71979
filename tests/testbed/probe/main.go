// Probe is the whole userland of the pods that test the test bed itself.
//
//	probe serve ADDRESS     answer every HTTP request with the host's name
//	probe get URL           print what URL answers
//	probe write FILE TEXT   write a file
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"
)

func run(arguments []string) error {
	switch {
	case len(arguments) == 2 && arguments[0] == "serve":
		name, err := os.Hostname()
		if err != nil {
			return err
		}
		log.Printf("serving on %s", arguments[1])
		return http.ListenAndServe(arguments[1], http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(answer, name)
		}))
	case len(arguments) == 2 && arguments[0] == "get":
		client := http.Client{Timeout: 10 * time.Second}
		answer, err := client.Get(arguments[1])
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		_, err = io.Copy(os.Stdout, answer.Body)
		return err
	case len(arguments) == 3 && arguments[0] == "write":
		return os.WriteFile(arguments[1], []byte(arguments[2]), 0o644)
	default:
		return fmt.Errorf("usage: probe serve ADDRESS | get URL | write FILE TEXT")
	}
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}
