// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/chattenant/chattenant/api/egressconfig"
	"github.com/chattenant/chattenant/api/kmshelper"
	"github.com/chattenant/chattenant/chatserver/egress/egresstest"
	"github.com/chattenant/chattenant/kms/internal/clouddouble"
)

func TestEveryHostOfAKeyIsReachedThroughTheGateway(t *testing.T) {
	both(t, func(t *testing.T, cloud *clouddouble.Cloud, uri string) {
		gateway := egresstest.Start(t, egresstest.To(cloud.Address))
		way := cloud.Way()
		way.Dial = func(_ context.Context, _, address string) (net.Conn, error) {
			return nil, fmt.Errorf("%s was connected to directly", address)
		}
		in := request(cloud, uri, kmshelper.Encrypt, keyset, "place")
		in.Egress = &gateway.Client
		sealed, err := ask(t, way, in)
		if err != nil {
			t.Fatal(err)
		}
		in = request(cloud, uri, kmshelper.Decrypt, sealed, "place")
		in.Egress = &gateway.Client
		opened, err := ask(t, way, in)
		if err != nil || opened != keyset {
			t.Errorf("opened %d bytes, %v", len(opened), err)
		}
		key, err := kmshelper.ParseKey(uri)
		if err != nil {
			t.Fatal(err)
		}
		asked := strings.Join(gateway.Asked(), "\n")
		if !strings.Contains(asked, "CONNECT "+key.Hosts()[0]+":443") {
			t.Errorf("the gateway was asked for\n%s", asked)
		}
	})
}

func TestWhatTheGatewayRefusesIsSaidInItsWords(t *testing.T) {
	both(t, func(t *testing.T, cloud *clouddouble.Cloud, uri string) {
		gateway := egresstest.Start(t, egresstest.Deny(egressconfig.ReasonNotDeclared))
		in := request(cloud, uri, kmshelper.Encrypt, keyset, "place")
		in.Egress = &gateway.Client
		_, err := ask(t, cloud.Way(), in)
		expect(t, cloud, err, kmshelper.ExitFailed, "refused (NotDeclared)")
	})
}
