// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"math"
	"os"

	"github.com/chattenant/chattenant/api/egressconfig"
)

const noLimit = math.MaxInt64

// conn is a connection through the gateway.
type conn struct {
	*tls.Conn

	reader *bufio.Reader
	target string
	// judged means that what came first was looked at.
	judged bool
}

// Read implements io.Reader.
func (c *conn) Read(p []byte) (int, error) {
	if !c.judged {
		if err := c.judge(); err != nil {
			return 0, err
		}
	}
	return c.reader.Read(p)
}

// judge looks for the alert that the gateway, in place of the recipient, refuses with. Its descriptions are for private
// use: no recipient's own alert is taken for one.
func (c *conn) judge() error {
	const (
		recordTypeAlert = 21
		size            = 7 // type, version, length, level, description
	)
	first, err := c.reader.Peek(1)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	c.judged = true
	if err != nil || first[0] != recordTypeAlert {
		return nil //nolint:nilerr // Read meets the error again
	}
	record, err := c.reader.Peek(size)
	if err != nil {
		return nil //nolint:nilerr // Read hands out what there is
	}
	if reason, ok := egressconfig.ReasonOfAlert(record[size-1]); ok {
		return &DeniedError{Target: c.target, Reason: reason}
	}
	return nil
}

// WriteTo keeps io.Copy from passing Read by.
func (c *conn) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{c})
}
