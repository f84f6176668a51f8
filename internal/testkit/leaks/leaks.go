// Package leaks finds goroutines that outlive the tests of a package.
//
//	func TestMain(m *testing.M) { leaks.Main(m) }
//
// goleak alone waits less than half a second for goroutines that are about to end, which
// is too short on a busy machine, and for net/http, which keeps a closed connection for
// that long.
package leaks

import (
	"fmt"
	"os"
	"time"

	"go.uber.org/goleak"
)

// patience is how long goroutines may take to end. Only a leak takes it.
const patience = 20 * time.Second

// Runner runs tests, as *testing.M does.
type Runner interface{ Run() int }

// Main runs the tests and exits. The exit code is 1 when they pass and leave a goroutine
// behind.
func Main(m Runner) { os.Exit(Checked(m).Run()) }

// Checked returns a Runner of m that also fails when the tests leave a goroutine behind.
func Checked(m Runner) Runner { return checked{m} }

type checked struct{ m Runner }

func (c checked) Run() int {
	code := c.m.Run()
	if code != 0 {
		return code
	}
	if err := Find(); err != nil {
		fmt.Fprintln(os.Stderr, "leaks:", err)
		return 1
	}
	return 0
}

// Find waits until no goroutine is left but those that the options leave out. Its error
// describes the ones that do not end.
func Find(options ...goleak.Option) error {
	deadline := time.Now().Add(patience)
	for {
		err := goleak.Find(options...)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
