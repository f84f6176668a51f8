package model

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"
)

// dialStagger is the time after which the next address of a server is tried beside those
// that have not answered yet, as RFC 8305 recommends.
const dialStagger = 250 * time.Millisecond

// errConnectTimeout ends a connection that was not made within connect_timeout.
var errConnectTimeout = errors.New("not connected in time")

// dialer connects to a server by name. Go's own dialer tries the addresses of one family
// one after the other, each for a share of its time: one address that does not answer
// delays every new connection by seconds. This one tries the next address beside it.
type dialer struct {
	timeout time.Duration // for the name and the connection
	lookup  func(ctx context.Context, network, host string) ([]netip.Addr, error)
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

func newDialer(timeout time.Duration) *dialer {
	return &dialer{timeout: timeout, lookup: net.DefaultResolver.LookupNetIP, dial: (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext}
}

// DialContext returns the first connection that is made. If none is, it returns the error
// of the first address, or of another one if a fault of this machine kept that from being
// tried.
func (d *dialer) DialContext(caller context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(caller, d.timeout, errConnectTimeout)
	defer cancel()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	var addresses []netip.Addr
	if ip, err := netip.ParseAddr(host); err == nil {
		addresses = []netip.Addr{ip}
	} else if addresses, err = d.lookup(ctx, "ip", host); err != nil {
		return nil, d.explain(ctx, network, errors.Join(spareDescriptor(), err))
	}
	c, err := d.race(ctx, network, port, mixed(addresses))
	if err != nil {
		return nil, d.explain(ctx, network, err)
	}
	return c, nil
}

// explain says that an attempt ended because connect_timeout was over.
func (d *dialer) explain(ctx context.Context, network string, err error) error {
	if !errors.Is(context.Cause(ctx), errConnectTimeout) {
		return err
	}
	return &net.OpError{Op: "dial", Net: network, Err: fmt.Errorf("%w: %v", errConnectTimeout, d.timeout)}
}

// spareDescriptor returns why no file can be opened; nil: one can. The resolver of the C
// library reports a name that does not exist when it is out of descriptors.
func spareDescriptor() error {
	f, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	return f.Close()
}

// attempt is the end of one attempt to connect.
type attempt struct {
	nth  int
	conn net.Conn
	err  error
}

// race begins with the first address, and goes on to the next when dialStagger is over or
// the last attempt has failed. All attempts have ended, but for their cancelled rest,
// when it returns; a second connection is closed.
func (d *dialer) race(caller context.Context, network, port string, addresses []netip.Addr) (net.Conn, error) {
	ctx, cancel := context.WithCancel(caller)
	ended := make(chan attempt)
	errs := make([]error, len(addresses))
	begun, running := 0, 0
	var won net.Conn
	stagger := time.NewTimer(0)
	defer stagger.Stop()
	next := stagger.C
	for running > 0 || won == nil && begun < len(addresses) {
		select {
		case <-next:
			nth, to := begun, net.JoinHostPort(addresses[begun].String(), port)
			go func() { // waited for below
				c, err := d.dial(ctx, network, to)
				ended <- attempt{nth, c, err}
			}()
			begun, running = begun+1, running+1
			stagger.Reset(dialStagger)
			if begun == len(addresses) {
				next = nil
			}
		case a := <-ended:
			running--
			switch {
			case a.err != nil:
				errs[a.nth] = a.err
				stagger.Reset(0)
			case won == nil:
				won, next = a.conn, nil
				cancel() // an attempt under way ends at once
			default:
				_ = a.conn.Close()
			}
		}
	}
	cancel()
	if won != nil {
		return won, nil
	}
	if i := slices.IndexFunc(errs, func(err error) bool { _, local := machineFault(err); return !local }); i >= 0 {
		return nil, errs[i]
	}
	if len(errs) > 0 {
		return nil, errs[0]
	}
	return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("the name has no address")}
}

// mixed puts addresses of the two families in turn, because mostly one family as a whole
// does not work.
func mixed(addresses []netip.Addr) []netip.Addr {
	var first, other, out []netip.Addr
	for _, a := range addresses {
		a = a.Unmap()
		if len(first) == 0 || a.Is4() == first[0].Is4() {
			first = append(first, a)
		} else {
			other = append(other, a)
		}
	}
	for i := range max(len(first), len(other)) {
		if i < len(first) {
			out = append(out, first[i])
		}
		if i < len(other) {
			out = append(out, other[i])
		}
	}
	return out
}
