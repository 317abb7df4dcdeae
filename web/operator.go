package web

// Operator is the page on which an operator sees how one replica fares.
func Operator() (*Page, error) { return newPage("operator") }
