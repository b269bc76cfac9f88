package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

func main() {
	fmt.Printf("cpus=%d\nmemory=%d\n", runtime.GOMAXPROCS(0), debug.SetMemoryLimit(-1))
}
