package libcpg_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"cpgol/libcpg"
)

// A program that joins a group, says something and prints what it hears.
func Example() {
	ctx := context.Background()
	c, err := libcpg.Open(libcpg.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := c.Join(ctx, "greetings"); err != nil {
		log.Fatal(err)
	}
	if err := c.Send(ctx, []byte("hello")); err != nil {
		log.Fatal(err)
	}
	for {
		var ev libcpg.Event
		if err := c.Next(ctx, &ev); err != nil {
			log.Fatal(err)
		}
		switch ev.Kind {
		case libcpg.Message:
			fmt.Printf("%v says %q\n", ev.From, ev.Data)
		case libcpg.Change:
			fmt.Println("members:", ev.Members)
		}
	}
}

// A connection ends with its daemon. Whoever wants to go on opens another one,
// and joins again.
func ExampleOpen() {
	connect := func(ctx context.Context) (*libcpg.Conn, error) {
		for {
			c, err := libcpg.Open(libcpg.Options{})
			if !errors.Is(err, libcpg.ErrTryAgain) && !errors.Is(err, libcpg.ErrDisconnected) {
				return c, err
			}
			select { // it is not there yet, or about to start
			case <-time.After(time.Second):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
	c, err := connect(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	c.Close()
}

// A replicated map: each member applies the same changes in the same order. A
// change of the group says when to bring newcomers up to date.
func ExampleConn_Next() {
	c, err := libcpg.Open(libcpg.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ctx := context.Background()
	if err := c.Join(ctx, "map"); err != nil {
		log.Fatal(err)
	}
	state := map[string]string{}
	var ev libcpg.Event // its slices are used again by each Next
	for c.Next(ctx, &ev) == nil {
		switch ev.Kind {
		case libcpg.Message:
			var key, value string
			if _, err := fmt.Sscan(string(ev.Data), &key, &value); err == nil {
				state[key] = value
			}
		case libcpg.Change:
			for _, m := range ev.Left {
				if m.Reason == libcpg.NodeDown {
					fmt.Println("lost with its node:", m.Member)
				}
			}
			if len(ev.Joined) == 0 || ev.Members[0] != c.Self() {
				continue
			}
			for key, value := range state { // the first member tells the others
				if err := c.Send(ctx, []byte(key), []byte(" "), []byte(value)); err != nil {
					log.Fatal(err)
				}
			}
		}
	}
}

// TrySend never waits, for programs with something better to do.
func ExampleConn_TrySend() {
	c, err := libcpg.Open(libcpg.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := c.Join(context.Background(), "samples"); err != nil {
		log.Fatal(err)
	}
	dropped := 0
	for sample := range 1000 {
		if err := c.TrySend(fmt.Appendf(nil, "%d", sample)); errors.Is(err, libcpg.ErrTryAgain) {
			dropped++ // newer ones are worth more
		} else if err != nil {
			log.Fatal(err)
		}
	}
}

// Members and Groups ask without joining.
func ExampleConn_Members() {
	c, err := libcpg.Open(libcpg.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	groups, err := c.Groups(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range groups {
		members, err := c.Members(ctx, name)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%q: %v\n", name, members)
	}
}

// Errors answer errors.Is, whatever was being done.
func ExampleStatus() {
	var err error = libcpg.ErrNotExist
	fmt.Println(err)
	fmt.Println(errors.Is(&libcpg.OpError{Op: "send", Err: err}, libcpg.ErrNotExist))
	// Output:
	// cpg: NOT_EXIST
	// true
}
