package management

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// userObject is the user as answers show it. The original spells the name of
// the account userName here and username at login.
type userObject struct {
	ID                  string    `json:"id"`
	UserName            string    `json:"userName"`
	Email               string    `json:"email"`
	PhoneNumber         string    `json:"phoneNumber"`
	Title               string    `json:"title"`
	FirstName           string    `json:"firstName"`
	LastName            string    `json:"lastName"`
	Department          string    `json:"department"`
	BirthDate           *string   `json:"birthDate"`
	CreatedAt           *string   `json:"createdAt"`
	UpdatedAt           *string   `json:"updatedAt"`
	LastDismissMessages *string   `json:"lastDismissMessages"`
	LastLogIn           *string   `json:"lastLogIn"`
	Rank                int       `json:"rank"`
	Image               []byte    `json:"image"`
	Address             string    `json:"address"`
	PostalCode          string    `json:"postalCode"`
	Region              string    `json:"region"`
	City                string    `json:"city"`
	Country             string    `json:"country"`
	CountryCode         string    `json:"countryCode"`
	Mobile              string    `json:"mobile"`
	Notes               string    `json:"notes"`
	CustomerID          int       `json:"customerId"`
	Roles               []string  `json:"roles"`
	APIKeys             []apiKey  `json:"apiKeys"`
	Settings            []setting `json:"settings"`
}

// apiKey never shows a secret: Key is the part that may be shown and
// ClientSecret is always empty.
type apiKey struct {
	ID           int64   `json:"id"`
	Name         string  `json:"name"`
	Key          string  `json:"key"`
	ClientSecret string  `json:"clientSecret"`
	CreatedDate  *string `json:"createdDate"`
	ExpireDate   *string `json:"expireDate"`
	OwnerID      string  `json:"ownerId"`
	Revoked      bool    `json:"revoked"`
	Permissions  int     `json:"permissions"`
	Description  string  `json:"description"`
}

type setting struct {
	ID          int64  `json:"id"`
	Category    string `json:"category"`
	Group       string `json:"group"`
	Name        string `json:"name"`
	Value       string `json:"value"`
	Type        string `json:"type"`
	Description string `json:"description"`
	ReadOnly    bool   `json:"readOnly"`
	UserID      string `json:"userId"`
}

func showUser(u session.User) *userObject {
	p := u.Profile
	return &userObject{
		ID: u.ID, UserName: u.Username, Email: u.Email,
		PhoneNumber: p.PhoneNumber, Title: p.Title, FirstName: p.FirstName, LastName: p.LastName,
		Department: p.Department, BirthDate: showOptional(p.BirthDate),
		CreatedAt: showTime(u.Created), UpdatedAt: showTime(u.Updated),
		LastDismissMessages: showOptional(p.LastDismissMessages), LastLogIn: showTime(u.LastLogin),
		Rank: p.Rank, Image: append([]byte{}, p.Image...),
		Address: p.Address, PostalCode: p.PostalCode, Region: p.Region, City: p.City,
		Country: p.Country, CountryCode: p.CountryCode, Mobile: p.Mobile, Notes: p.Notes,
		CustomerID: p.CustomerID, Roles: append([]string{}, u.Roles...),
		APIKeys: showKeys(u.Keys), Settings: showSettings(u.Settings, u.ID),
	}
}

func showKeys(keys []session.Key) []apiKey {
	shown := make([]apiKey, 0, len(keys))
	for _, k := range keys {
		shown = append(shown, apiKey{
			ID: k.ID, Name: k.Name, Key: k.Shown, CreatedDate: showTime(k.Created), ExpireDate: showTime(k.Expires),
			OwnerID: k.Owner, Revoked: k.Revoked, Permissions: int(k.Permissions), Description: k.Description,
		})
	}
	return shown
}

func showSettings(settings []session.Setting, owner string) []setting {
	shown := make([]setting, 0, len(settings))
	for _, s := range settings {
		shown = append(shown, setting{
			ID: s.ID, Category: s.Category, Group: s.Group, Name: s.Name, Value: s.Value,
			Type: s.Type, Description: s.Description, ReadOnly: s.ReadOnly, UserID: owner,
		})
	}
	return shown
}

// showTime returns t as the page shows dates, `2019-08-24T14:15:22Z`; nil,
// which is null, for none.
func showTime(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.UTC().Format(time.RFC3339)
	return &text
}

func showOptional(t *time.Time) *string {
	if t == nil {
		return nil
	}
	return showTime(*t)
}
