// Command api is a whole API beside roomgate: it logs users in, issues their tokens, and publishes what they write.
package main

import (
	"cmp"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/redis/go-redis/v9"
)

type claims struct {
	Rooms []string `json:"rooms"`
	jwt.RegisteredClaims
}

var passwords = map[string]string{"ada": "lovelace", "bob": "bobbin"} // your table of users
var rooms = map[string][]string{"ada": {"42"}, "bob": {"43"}}

func main() {
	secret := []byte(os.Getenv("JWT_SECRET")) // that roomgate has
	options, err := redis.ParseURL(cmp.Or(os.Getenv("REDIS_URL"), "redis://127.0.0.1:6379"))
	if err != nil || len(secret) == 0 {
		log.Fatal("JWT_SECRET is not set, or REDIS_URL is wrong")
	}
	client := redis.NewClient(options)

	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "../page.html") })
	http.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		name := r.FormValue("name")
		if password, ok := passwords[name]; !ok || password != r.FormValue("password") {
			http.Error(w, "wrong name or password", http.StatusUnauthorized)
			return
		}
		c := claims{rooms[name], jwt.RegisteredClaims{Subject: name, ExpiresAt: jwt.NewNumericDate(time.Now().Add(15 * time.Minute))}}
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(secret)
		if err != nil {
			http.Error(w, "no token", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		_, _ = io.WriteString(w, token)
	})
	http.HandleFunc("POST /messages", func(w http.ResponseWriter, r *http.Request) {
		var user claims
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		key := func(*jwt.Token) (any, error) { return secret, nil }
		if _, err := jwt.ParseWithClaims(token, &user, key, jwt.WithValidMethods([]string{"HS256"})); err != nil {
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		room := r.FormValue("room")
		if !slices.Contains(user.Rooms, room) {
			http.Error(w, "not your room", http.StatusForbidden)
			return
		}
		message, err := json.Marshal(map[string]string{"from": user.Subject, "text": r.FormValue("text")}) // store it first, if it is to be kept
		if err == nil {
			err = client.Publish(r.Context(), "room:"+room, message).Err()
		}
		if err != nil {
			log.Print(err)
			http.Error(w, "not published", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(message)
	})
	log.Fatal(http.ListenAndServe(cmp.Or(os.Getenv("ADDR"), "127.0.0.1:3000"), nil))
}
