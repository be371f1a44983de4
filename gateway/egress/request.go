// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/chattenant/chattenant/api/egressconfig"
)

// maxRequestBytes bounds the request line and headers of a CONNECT, which take some 100 bytes.
const maxRequestBytes = 4 << 10

// refusal is a request that is not answered with a connection.
type refusal struct {
	status int
	reason egressconfig.Reason
}

func (r *refusal) Error() string { return string(r.reason) }

func refuse(status int, reason egressconfig.Reason) *refusal { return &refusal{status, reason} }

// request is a client's stream, of which the head is read within bounds.
type request struct {
	*bufio.Reader

	limit *io.LimitedReader
	conn  *noting
}

func newRequest(conn io.Reader) *request {
	noting := &noting{Reader: conn}
	limit := &io.LimitedReader{R: noting, N: maxRequestBytes}
	return &request{Reader: bufio.NewReader(limit), limit: limit, conn: noting}
}

// noting keeps the error of reading: a parser that was in the middle of something calls it malformed.
type noting struct {
	io.Reader

	err error
}

// Read implements io.Reader.
func (n *noting) Read(p []byte) (int, error) {
	read, err := n.Reader.Read(p)
	n.err = err
	return read, err
}

// endpoint reads the request and returns what it wants to be connected to. The target of the request line is all that
// counts: headers are neither trusted nor passed on. An error is a refusal, or why nothing could be read.
func (r *request) endpoint() (egressconfig.Endpoint, error) {
	head, err := http.ReadRequest(r.Reader)
	tooLarge := r.limit.N <= 0
	r.limit.N = math.MaxInt64
	switch {
	case err == nil:
		return endpointOf(head)
	case tooLarge:
		return egressconfig.Endpoint{}, refuse(http.StatusRequestHeaderFieldsTooLarge, egressconfig.ReasonMalformedRequest)
	case r.conn.err != nil:
		return egressconfig.Endpoint{}, fmt.Errorf("read request: %w", r.conn.err)
	default:
		return egressconfig.Endpoint{}, refuse(http.StatusBadRequest, egressconfig.ReasonMalformedRequest)
	}
}

// endpointOf judges a request that is well-formed HTTP.
func endpointOf(head *http.Request) (egressconfig.Endpoint, error) {
	if head.Method != http.MethodConnect || head.Proto != "HTTP/1.1" {
		return egressconfig.Endpoint{}, refuse(http.StatusMethodNotAllowed, egressconfig.ReasonMethodNotAllowed)
	}
	if len(head.TransferEncoding) > 0 || head.ContentLength != 0 || !plain(head.Header) {
		return egressconfig.Endpoint{}, refuse(http.StatusBadRequest, egressconfig.ReasonMalformedRequest)
	}
	endpoint, err := egressconfig.ParseEndpoint(head.RequestURI)
	if err != nil {
		return egressconfig.Endpoint{}, refuse(http.StatusForbidden, egressconfig.ReasonMalformedTarget)
	}
	return endpoint, nil
}

// plain finds no header that is malformed, or would give the bytes after the request another meaning than the
// connection's.
func plain(header http.Header) bool {
	for name, values := range header {
		if !httpguts.ValidHeaderFieldName(name) || slices.Contains(meaningful(), name) {
			return false
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return false
			}
		}
	}
	return true
}

func meaningful() []string {
	return []string{"Content-Length", "Transfer-Encoding", "Trailer", "Expect", "Upgrade"}
}

// established answers a CONNECT whose endpoint may be connected to.
const established = "HTTP/1.1 200 Connection established\r\n\r\n"

// answer tells a client in its own protocol why it is refused.
func (r *refusal) answer() string {
	body := "The egress gateway refused: " + string(r.reason) + "\n"
	return strings.Join([]string{
		"HTTP/1.1 " + strconv.Itoa(r.status) + " " + http.StatusText(r.status),
		egressconfig.DeniedHeader + ": " + string(r.reason),
		"Content-Type: text/plain; charset=utf-8",
		"Content-Length: " + strconv.Itoa(len(body)),
		"Connection: close",
		"", body,
	}, "\r\n")
}
