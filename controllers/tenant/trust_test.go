// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package tenant

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/chattenant/chattenant/api/naming"
	"github.com/chattenant/chattenant/api/trust"
	"github.com/chattenant/chattenant/api/v1alpha1"
	"github.com/chattenant/chattenant/controllers/desired"
)

// TestATenantPublishesWhatItsStatusSays follows a recipient from its announcement to its day in the published document.
func TestATenantPublishesWhatItsStatusSays(t *testing.T) {
	const tenant, mail = "candid", "mail-of-candid"
	sendingPlatform(t)
	create(t, recipient(mail, "2030-05-01", "2030-05-10", "DE"))
	create(t, sendingTenant(tenant, mail))
	day := time.Date(2030, 5, 10, 0, 0, 0, 0, time.UTC)
	now := shortlyBefore(day)
	startOperatorAt(t, now, unchanged)

	report(t, tenant)
	wantPublished(t, tenant, mail, trust.Pending)
	now.release()
	wantState(t, tenant, mail, v1alpha1.RecipientEffective, v1alpha1.RecipientInEffect)
	reportGateway(t, tenant)
	report(t, tenant)
	wantPublished(t, tenant, mail, trust.Effective)
	change(t, tenant, func(s *v1alpha1.ChatTenantSpec) {
		s.SubProcessors.Objections = []v1alpha1.SubProcessorObjection{{Name: mail}}
	})
	wantPublished(t, tenant, mail, trust.Objected)
}

// wantPublished waits until the document says this of a recipient, and of every proof what the status says.
func wantPublished(t *testing.T, tenant, recipient string, state trust.State) {
	t.Helper()
	eventually(t, recipient+" to be published as "+string(state), func() string {
		document, err := published(t, tenant)
		if err != nil {
			return err.Error() + "\n" + story(t, tenant)
		}
		if len(document.SubProcessors) != 1 || document.SubProcessors[0].State != state {
			return fmt.Sprintf("published: %+v", document.SubProcessors)
		}
		return unlike(document.Proofs, liveTenant(t, tenant))
	})
}

// unlike names the first proof that is not what the status says, empty if all are.
func unlike(proofs []trust.Proof, tenant *v1alpha1.ChatTenant) string {
	if len(proofs) == 0 {
		return "nothing is published of what was found"
	}
	for _, p := range proofs {
		c := meta.FindStatusCondition(tenant.Status.Conditions, p.Name)
		if c == nil || string(c.Status) != p.Holds || c.Reason != p.Reason || !c.LastTransitionTime.Time.Equal(p.Since) {
			return fmt.Sprintf("published %+v, the status says %+v", p, c)
		}
	}
	return ""
}

func published(t *testing.T, tenant string) (*trust.Document, error) {
	t.Helper()
	files := &corev1.ConfigMap{}
	key := client.ObjectKey{Namespace: naming.Namespace(tenant), Name: desired.TrustConfigMap}
	if err := admin.Get(t.Context(), key, files); err != nil {
		return nil, err
	}
	return trust.Parse([]byte(files.Data[trust.FileName]))
}
