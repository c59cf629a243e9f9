// A version of the service that passes its acceptance test and is bad for its users: bad-errors answers every second request with an
// error, bad-slow answers after a second.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

func main() {
	if len(os.Args) > 2 && os.Args[2] == "migrate" {
		return
	}
	kind := os.Args[1]
	var asked atomic.Int64
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/livez" || r.URL.Path == "/readyz" || r.URL.Path == "/metrics":
		case strings.Contains(r.URL.Path, strings.Repeat("Z", 64)):
			if r.Method != http.MethodGet {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			fmt.Fprint(w, `{"message":"Hello, you"}`)
		case kind == "bad-slow":
			time.Sleep(time.Second)
		case asked.Add(1)%2 == 0:
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	log.Fatal(http.ListenAndServe(":8000", nil))
}
