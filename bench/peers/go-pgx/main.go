// Go's net/http and pgx: a pgxpool shared by all handlers, https://github.com/jackc/pgx/wiki/Getting-started-with-pgx
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	find = "select date_of_birth from birthdays where username = $1"
	save = "insert into birthdays (username, date_of_birth) values ($1, $2) " +
		"on conflict (username) do update set date_of_birth = excluded.date_of_birth"
)

var username = regexp.MustCompile("^[A-Za-z]{1,64}$")

type service struct{ pool *pgxpool.Pool }

func today() time.Time { return time.Now().UTC().Truncate(24 * time.Hour) }

func message(name string, born time.Time) string {
	now := today()
	// time.Date makes 1 March of a 29 February that the year lacks.
	birthday := time.Date(now.Year(), born.Month(), born.Day(), 0, 0, 0, 0, time.UTC)
	if birthday.Before(now) {
		birthday = time.Date(now.Year()+1, born.Month(), born.Day(), 0, 0, 0, 0, time.UTC)
	}
	if days := int(birthday.Sub(now).Hours() / 24); days > 0 {
		return fmt.Sprintf("Hello, %s! Your birthday is in %d day(s)", name, days)
	}
	return fmt.Sprintf("Hello, %s! Happy birthday!", name)
}

func answer(w http.ResponseWriter, status int, key, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{key: text})
}

func unavailable(w http.ResponseWriter, err error) {
	log.Print(err)
	answer(w, http.StatusServiceUnavailable, "detail", "the database does not answer")
}

func (s service) greet(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("username")
	if !username.MatchString(name) {
		answer(w, http.StatusBadRequest, "detail", "the username may hold only ASCII letters")
		return
	}
	var born time.Time
	switch err := s.pool.QueryRow(r.Context(), find, name).Scan(&born); {
	case errors.Is(err, pgx.ErrNoRows):
		answer(w, http.StatusNotFound, "detail", "this name is unknown")
	case err != nil:
		unavailable(w, err)
	default:
		answer(w, http.StatusOK, "message", message(name, born))
	}
}

func (s service) save(w http.ResponseWriter, r *http.Request) {
	var body struct {
		DateOfBirth string `json:"dateOfBirth"`
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1024))
	decoder.DisallowUnknownFields()
	name, wrong := r.PathValue("username"), decoder.Decode(&body)
	born, err := time.Parse(time.DateOnly, body.DateOfBirth)
	if wrong != nil || err != nil || !username.MatchString(name) || born.Year() < 1 || !born.Before(today()) {
		answer(w, http.StatusBadRequest, "detail", "a username of ASCII letters and a dateOfBirth before today")
		return
	}
	if _, err = s.pool.Exec(r.Context(), save, name, born); err != nil {
		unavailable(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func main() {
	pool, err := pgxpool.New(context.Background(), os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	s := service{pool}
	http.HandleFunc("GET /hello/{username}", s.greet)
	http.HandleFunc("PUT /hello/{username}", s.save)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
