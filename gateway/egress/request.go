// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"

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
}

func newRequest(conn io.Reader) *request {
	limit := &io.LimitedReader{R: conn, N: maxRequestBytes}
	return &request{Reader: bufio.NewReader(limit), limit: limit}
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
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return egressconfig.Endpoint{}, fmt.Errorf("read request: %w", err)
	default:
		return egressconfig.Endpoint{}, refuse(http.StatusBadRequest, egressconfig.ReasonMalformedRequest)
	}
}

// endpointOf judges a request that is well-formed HTTP.
func endpointOf(head *http.Request) (egressconfig.Endpoint, error) {
	if head.Method != http.MethodConnect || head.Proto != "HTTP/1.1" {
		return egressconfig.Endpoint{}, refuse(http.StatusMethodNotAllowed, egressconfig.ReasonMethodNotAllowed)
	}
	if len(head.TransferEncoding) > 0 || head.ContentLength != 0 || promisesMore(head.Header) {
		return egressconfig.Endpoint{}, refuse(http.StatusBadRequest, egressconfig.ReasonMalformedRequest)
	}
	endpoint, err := egressconfig.ParseEndpoint(head.RequestURI)
	if err != nil {
		return egressconfig.Endpoint{}, refuse(http.StatusForbidden, egressconfig.ReasonMalformedTarget)
	}
	return endpoint, nil
}

// promisesMore finds headers that would give the bytes after the request another meaning than the connection's.
func promisesMore(header http.Header) bool {
	for _, name := range []string{"Content-Length", "Transfer-Encoding", "Trailer", "Expect", "Upgrade"} {
		if _, there := header[name]; there {
			return true
		}
	}
	return false
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
