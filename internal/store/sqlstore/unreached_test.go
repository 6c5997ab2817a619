package sqlstore

import (
	"strings"
	"testing"
)

func TestAServerThatIsNotThereIsOneSentence(t *testing.T) {
	_, err := OpenPostgres(t.Context(), "postgres://ann:planted@127.0.0.1:1", Options{})
	if err == nil {
		t.Fatal("it opened")
	}
	text := err.Error()
	if !strings.HasPrefix(text, "the PostgreSQL store ann at 127.0.0.1:1 cannot be reached: ") {
		t.Errorf("it does not name the place: %s", text)
	}
	if strings.Contains(text, "\n") || strings.Count(text, "connection refused") != 1 || strings.Contains(text, "planted") {
		t.Error(text)
	}
}

func TestANameThatIsNoHostIsToldOnce(t *testing.T) {
	_, err := OpenPostgres(t.Context(), "postgres://ann:planted@no..host/d", Options{})
	if err == nil || strings.Count(err.Error(), "no such host") != 1 {
		t.Errorf("got %v", err)
	}
}

func TestADSNThatCannotBeReadIsToldWithoutIt(t *testing.T) {
	for dsn, says := range map[string]string{
		"postgres://ann:planted%zz@h/d":                                               "is not understood",
		"postgres://h/d?sslmode=verify-full&password=planted&sslrootcert=/nowhere/ca": "open /nowhere/ca: no such file",
		"redis://ann:planted@h":                                                       "is not understood",
		"postgres://ann:pa@planted@h/d":                                               "an @ that ends no password",
		"postgres://ann:12/planted@h/d":                                               "an @ that ends no password",
		"postgres://ann:12?planted@h/d":                                               "an @ that ends no password",
		"postgres://ann:12#planted@h/d":                                               "an @ that ends no password",
	} {
		if err := CheckPostgres(dsn); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
	for _, dsn := range []string{
		"postgres://ann:planted@h/d", "postgres://ann:pl%40nted@h1,h2/d?application_name=a%40b", "postgres:///d?host=/run", "host=h password='pl@n@ted'",
	} {
		if err := CheckPostgres(dsn); err != nil {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}
