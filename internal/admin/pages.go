package admin

import "github.com/gatehouse-auth/gatehouse/internal/store"

// pages reads a list to its end, a page at a time.
func pages[T any](read func(store.Page) ([]T, error), yield func(T) error) error {
	for at := 0; ; at += store.MaxPage {
		rows, err := read(store.Page{Offset: at, Limit: store.MaxPage})
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := yield(row); err != nil {
				return err
			}
		}
		if len(rows) < store.MaxPage {
			return nil
		}
	}
}
