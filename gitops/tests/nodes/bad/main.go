// Faulty versions of the service: bad-answers fails the acceptance test. bad-errors passes it, and answers every second request of a
// user with an error. bad-slow passes it, and answers after a second.
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
		case strings.Contains(r.URL.Path, strings.Repeat("Z", 64)) && kind != "bad-answers":
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
