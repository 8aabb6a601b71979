// Health says how the tools that people deploy with see an object: kstatus (Flux, kpt, Helm), by its own library, and
// Argo CD, by a Lua script in the interpreter and with the libraries that Argo CD gives it.
//
// It reads {"object": …, "lua": …} a line and writes {"kstatus": …, "argo": …} a line, each with status and message.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type question struct {
	Object map[string]any `json:"object"`
	Lua    string         `json:"lua"`
}

type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	decoder, encoder := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var asked question
		if err := decoder.Decode(&asked); err == io.EOF {
			return
		} else if err != nil {
			fail(err)
		}
		object := &unstructured.Unstructured{Object: whole(asked.Object).(map[string]any)}
		result, err := kstatus.Compute(object)
		if err != nil {
			fail(err)
		}
		health, err := argo(object, asked.Lua)
		if err != nil {
			fail(err)
		}
		if err := encoder.Encode(map[string]verdict{"kstatus": {string(result.Status), result.Message}, "argo": health}); err != nil {
			fail(err)
		}
	}
}

// argo is Argo CD's rule: what is being deleted is Progressing, whatever the script; else the script's table.
func argo(object *unstructured.Unstructured, script string) (verdict, error) {
	if object.GetDeletionTimestamp() != nil {
		return verdict{"Progressing", "Pending deletion"}, nil
	}
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
		lua.StringLibName: lua.OpenString,
	} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return verdict{}, err
		}
	}
	limit, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	state.SetContext(limit)
	state.SetGlobal("obj", value(state, object.Object))
	if err := state.DoString(script); err != nil {
		return verdict{}, err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return verdict{}, fmt.Errorf("the script returned %s, not a table", state.Get(-1).Type())
	}
	return verdict{lua.LVAsString(table.RawGetString("status")), lua.LVAsString(table.RawGetString("message"))}, nil
}

func value(state *lua.LState, from any) lua.LValue {
	switch from := from.(type) {
	case bool:
		return lua.LBool(from)
	case int64:
		return lua.LNumber(from)
	case float64:
		return lua.LNumber(from)
	case string:
		return lua.LString(from)
	case []any:
		table := state.CreateTable(len(from), 0)
		for _, item := range from {
			table.Append(value(state, item))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(from))
		for key, item := range from {
			table.RawSetString(key, value(state, item))
		}
		return table
	}
	return lua.LNil
}

// whole turns JSON's numbers without a fraction into integers, as Kubernetes' own decoder does.
func whole(from any) any {
	switch from := from.(type) {
	case float64:
		if from == float64(int64(from)) {
			return int64(from)
		}
	case []any:
		for index, item := range from {
			from[index] = whole(item)
		}
	case map[string]any:
		for key, item := range from {
			from[key] = whole(item)
		}
	}
	return from
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
