// Probe is the whole userland of the pods that test the test bed itself.
//
//	probe serve ADDRESS     answer every HTTP request with the host's name
//	probe get URL           print what URL answers
//	probe write FILE TEXT   write a file
//	probe dial ADDRESS…     try to connect to all at once: a line each, "ADDRESS open", "refused" or "dropped"
//	probe chat URL          for each line of input get URL, over one connection; print each answer on a line
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
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
	case len(arguments) >= 2 && arguments[0] == "dial":
		dial(arguments[1:])
		return nil
	case len(arguments) == 2 && arguments[0] == "chat":
		return chat(arguments[1])
	default:
		return fmt.Errorf("usage: probe serve ADDRESS | get URL | write FILE TEXT | dial ADDRESS… | chat URL")
	}
}

func dial(addresses []string) {
	var all sync.WaitGroup
	for _, address := range addresses {
		all.Add(1)
		go func() {
			defer all.Done()
			connection, err := net.DialTimeout("tcp", address, 1500*time.Millisecond)
			var late net.Error
			switch {
			case err == nil:
				connection.Close()
				fmt.Println(address, "open")
			case errors.As(err, &late) && late.Timeout():
				fmt.Println(address, "dropped")
			default:
				fmt.Println(address, "refused")
			}
		}()
	}
	all.Wait()
}

func chat(url string) error {
	dialled := false
	once := func(ctx context.Context, network, address string) (net.Conn, error) {
		if dialled {
			return nil, errors.New("the connection was lost")
		}
		dialled = true
		return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, address)
	}
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: once}}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		answer, err := client.Get(url)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			return err
		}
		fmt.Println(string(body))
	}
	return nil
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}
