package pg

// collect returns a slice and a function that appends copies to it.
func collect() (*[]string, func([]byte)) {
	var got []string
	return &got, func(b []byte) { got = append(got, string(b)) }
}
