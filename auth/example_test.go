package auth_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/roomgate/roomgate/auth"
)

var (
	secret  = []byte("only-for-examples-0123456789abcdef")
	issuers = []auth.Issuer{{Secrets: [][]byte{secret}}}
)

// A backend names the rooms of a user in the token.
func Example() {
	verifier, err := auth.New(auth.Options{Issuers: issuers})
	if err != nil {
		log.Fatal(err)
	}
	token, err := auth.Sign(secret, map[string]any{
		"sub":     "u42",
		"exp":     time.Now().Add(time.Hour).Unix(),
		"rooms":   []string{"lobby", "order:*:status"},
		"publish": "lobby",
	})
	if err != nil {
		log.Fatal(err)
	}

	grant, err := verifier.Verify(context.Background(), token)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(grant.Subject, "joins", grant.Named())
	fmt.Println(grant.MayJoin("order:7:status"), grant.MayJoin("order:7:items"))
	fmt.Println(grant.MayPublish("lobby"), grant.MayPublish("order:7:status"))
	// Output:
	// u42 joins [lobby]
	// true false
	// true false
}

// The backend's tokens say which phone number a user works with, and know nothing of rooms.
// Each connection joins its number's room.
func ExampleOptions_phoneNumberID() {
	verifier, err := auth.New(auth.Options{
		Issuers:   issuers,
		AutoRooms: []string{"phone:{phoneNumberId}"},
	})
	if err != nil {
		log.Fatal(err)
	}
	token, err := auth.Sign(secret, map[string]any{
		"phoneNumberId": 106540352242922,
		"exp":           time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		log.Fatal(err)
	}

	grant, err := verifier.Verify(context.Background(), token)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(grant.Auto())
	fmt.Println(grant.MayJoin("phone:106540352242922"), grant.MayJoin("phone:15550100"))
	// Output:
	// [phone:106540352242922]
	// true false
}

// A refusal has a text for the developer and a reason for the metrics.
func ExampleVerifier_Verify_refused() {
	verifier, err := auth.New(auth.Options{Issuers: issuers})
	if err != nil {
		log.Fatal(err)
	}
	token, err := auth.Sign(secret, map[string]any{"sub": "u42"})
	if err != nil {
		log.Fatal(err)
	}

	_, err = verifier.Verify(context.Background(), token)
	if refusal, ok := errors.AsType[*auth.Error](err); ok {
		fmt.Println(refusal)
		fmt.Println(refusal.Reason)
	}
	// Output:
	// token has no exp claim: every token needs one
	// no_expiry
}

// An explanation has a step for each check, and for what the token grants.
func ExampleVerifier_Explain() {
	verifier, err := auth.New(auth.Options{Issuers: issuers, AllowRooms: []string{"org:{org.id}:*"}})
	if err != nil {
		log.Fatal(err)
	}
	token, err := auth.Sign(secret, map[string]any{"sub": "u42", "exp": 4102444800, "org": map[string]any{"id": 7}})
	if err != nil {
		log.Fatal(err)
	}

	explanation := verifier.Explain(context.Background(), token, "org:7:chat")
	for _, step := range explanation.Steps {
		if step.Name == "signature" || step.Name == "room" {
			fmt.Println(step.Name, step.Outcome, "-", step.Words)
		}
	}
	fmt.Println(explanation.Granted)
	// Output:
	// signature ok - made with secret 1 of 1
	// room ok - "org:7:chat" may be joined, "org:7:*" by rooms.allow "org:{org.id}:*"; it may not be published to
	// true
}
