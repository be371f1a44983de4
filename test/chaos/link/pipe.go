// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package link

import (
	"errors"
	"io"
	"net"
)

// pipe is one connection through a link. Its fields are guarded by the link's lock.
type pipe struct {
	link *Link
	// ends are the connections that a direction leads to.
	ends [directions]*net.TCPConn
	// lossy says that something was lost, so that what follows would make no sense to whoever reads it.
	lossy     bool
	abandoned bool
	isReset   bool
}

// treatment is called with the link's lock held.
func (p *pipe) treatment(d direction) treatment {
	if p.abandoned || p.isReset {
		return lose
	}
	return p.link.treatments[d]
}

const chunk = 32 << 10

// forward carries one direction until its source ends.
func (p *pipe) forward(d direction) {
	from, to := p.ends[1-d], p.ends[d]
	buffer := make([]byte, chunk)
	for {
		n, err := from.Read(buffer)
		carried := p.link.await(p, d) == pass
		if n > 0 && carried {
			if _, failed := to.Write(buffer[:n]); failed != nil {
				// The source learns of it when its own end is reset.
				abort(from)
				return
			}
		}
		if err != nil {
			p.finish(d, err, carried)
			return
		}
	}
}

// finish tells the other end how the source ended, if the link still tells it anything.
func (p *pipe) finish(d direction, err error, tell bool) {
	switch {
	case !tell:
	case errors.Is(err, io.EOF):
		_ = p.ends[d].CloseWrite()
	default:
		abort(p.ends[d])
	}
}

// reset ends both connections with a reset. Called with the link's lock held.
func (p *pipe) reset() {
	p.isReset = true
	for _, conn := range p.ends {
		if conn != nil {
			abort(conn)
		}
	}
}

// abort closes a connection in a way that its peer notices at once.
func abort(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}
