// Go's net/http and pgx: a pgxpool shared by all handlers, https://github.com/jackc/pgx/wiki/Getting-started-with-pgx
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

type service struct{ pool *pgxpool.Pool }

type newBirthday struct {
	DateOfBirth string `json:"dateOfBirth"`
}

func valid(username string) bool {
	if len(username) < 1 || len(username) > 64 {
		return false
	}
	for _, letter := range []byte(username) {
		if (letter < 'A' || letter > 'Z') && (letter < 'a' || letter > 'z') {
			return false
		}
	}
	return true
}

func today() time.Time { return time.Now().UTC().Truncate(24 * time.Hour) }

func message(username string, born time.Time) string {
	now := today()
	// time.Date makes 1 March of a 29 February that the year lacks.
	birthday := time.Date(now.Year(), born.Month(), born.Day(), 0, 0, 0, 0, time.UTC)
	if birthday.Before(now) {
		birthday = time.Date(now.Year()+1, born.Month(), born.Day(), 0, 0, 0, 0, time.UTC)
	}
	if days := int(birthday.Sub(now).Hours() / 24); days > 0 {
		return fmt.Sprintf("Hello, %s! Your birthday is in %d day(s)", username, days)
	}
	return fmt.Sprintf("Hello, %s! Happy birthday!", username)
}

func answer(w http.ResponseWriter, status int, body map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (s service) greet(w http.ResponseWriter, r *http.Request) {
	username := r.PathValue("username")
	if !valid(username) {
		answer(w, http.StatusBadRequest, map[string]string{"detail": "the username may hold only ASCII letters"})
		return
	}
	var born time.Time
	err := s.pool.QueryRow(r.Context(), "select date_of_birth from birthdays where username = $1", username).Scan(&born)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		answer(w, http.StatusNotFound, map[string]string{"detail": "nobody of that name is known"})
	case err != nil:
		log.Print(err)
		answer(w, http.StatusServiceUnavailable, map[string]string{"detail": "the database does not answer"})
	default:
		answer(w, http.StatusOK, map[string]string{"message": message(username, born)})
	}
}

func (s service) save(w http.ResponseWriter, r *http.Request) {
	username := r.PathValue("username")
	var body newBirthday
	var buffer bytes.Buffer
	_, err := buffer.ReadFrom(http.MaxBytesReader(w, r.Body, 1024))
	if err == nil {
		decoder := json.NewDecoder(&buffer)
		decoder.DisallowUnknownFields()
		err = decoder.Decode(&body)
	}
	born, wrong := time.Parse(time.DateOnly, body.DateOfBirth)
	if err != nil || wrong != nil || !valid(username) || born.Year() < 1 || !born.Before(today()) {
		answer(w, http.StatusBadRequest, map[string]string{"detail": "a username of ASCII letters and a dateOfBirth before today"})
		return
	}
	_, err = s.pool.Exec(r.Context(),
		"insert into birthdays (username, date_of_birth) values ($1, $2) "+
			"on conflict (username) do update set date_of_birth = excluded.date_of_birth", username, born)
	if err != nil {
		log.Print(err)
		answer(w, http.StatusServiceUnavailable, map[string]string{"detail": "the database does not answer"})
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
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello/{username}", s.greet)
	mux.HandleFunc("PUT /hello/{username}", s.save)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), mux))
}
