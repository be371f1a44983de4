// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

//go:build apiserver

package api

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// judges are the tests that a mutant must fail: all that ask admission.
var judges = []func(*testing.T){
	TestTheOperatorWritesOnPodsThatItMade,
	TestTheOperatorTellsAGatewayOnceMore,
	TestARecipientOutsideIsNotAddedToATenant,
	TestABoundedTenantNeedsNoRecipients,
	TestTheEconomicAreaIsMoreThanTheUnion,
	TestAKubeletRelabelsThroughTheStatusOfAPodNothing,
	TestADedicatedPodsTermsAreExact,
	TestDeletingATenantTakesItsName,
	TestDeletingARegionTakesItsName,
	TestClassesAndSubProcessorsAreDeletedFreely,
	TestDefinitionsDoNotGoBackwards,
	TestDefinitionsOfOthersGoWhereTheyWant,
	TestDefinitionsStayWhileATenantExists,
	TestNobodyButTheOperatorMarksNamespaces,
	TestTheMessagesAboutNamespacesSayWhatToDo,
	TestPodsWithDedicatedNodesDemandAndTolerateThem,
	TestPodsWithoutDedicatedNodesTolerateNobodys,
	TestNoTolerationIsAddedToARunningPod,
	TestAKubeletDoesNotSayWhoseItsNodeIsNorMovesIt,
	TestOnlyTheOperatorOpensATenantsNamespace,
	TestOnlyTheOperatorAndCertManagerKeepKeys,
	TestOnlyTheOperatorChangesWhatItManages,
	TestPodsAndVolumesAreLivedWithButNotChanged,
	TestOtherNamespacesAreLeftAlone,
	TestTheOperatorReachesNoFurtherThanItsTenants,
	TestOthersBindRolesAsTheyMay,
	TestEveryPodOfATenantHasItsPlace,
	TestARegionOfSeveralLabelsDemandsThemAll,
	TestNoContainerIsAddedToARunningPod,
	TestPodsOfOthersGoWhereTheyWant,
	TestAProbesPodIsNothingButAProbe,
	TestOnlyAProbeTakesAnothersPlaceInTheNetwork,
	TestOnlyTheOperatorMakesJobsInATenantsNamespace,
	TestTheOperatorWritesOneAnnotationOnGatewaysAndNothingElseOnPods,
	TestARecipientOutsideTheJurisdictionsIsRefused,
	TestATenantIsNotMovedOntoARecipientOutside,
	TestAResidencyIsRefusedExactlyWhereTheOperatorWouldStall,
	TestAResidencyIsHeldToWhenItChangesAndInTheWayOfNothingElse,
	TestAHostThatAnotherTenantHasIsRefused,
	TestARegionThatNodesCanClaimIsWarnedOf,
	TestOnlyTheOperatorWritesTheStatusOfATenant,
	TestWhatTheClusterFoundIsWrittenByWhoFoundIt,
	TestWhatAQuotaBoundsIsCountedByTheAPIServer,
	TestATenantWithoutAKeyServiceHasNoTokens,
	TestAnAdministratorOfTheNamespaceDoesNotHoldItsClaims,
	TestNoTokenOfATenantIsForTheKubernetesAPI,
	TestNobodyRunsAnythingBesideATenant,
	TestOnlyChatServersHaveTokensAndOnlyForTheirKeyServices,
	TestAClaimIsNotEnlargedByHand,
	TestADatabaseThatLooksLikeAChatServerHasNoToken,
	TestAKubeletRunsNothingInAProbe,
	TestAPodHasEveryVolumeThatComesFromItsNamespace,
	TestAPodInAPlaceEndsAsAnyOther,
	TestAPodOfNoRegionStaysOnItsOwnNodes,
	TestAProbeWithoutAClassRunsNothing,
	TestAProbesPodDiffersInNothing,
	TestARegionThatNodesCanClaimIsWarnedOfWheneverItIsApplied,
	TestATenantMayBeMadeOnceMore,
	TestATenantsNamespaceGoesNotBeforeItsContents,
	TestEachOfKubernetesOwnPartsGoesOnWorking,
	TestNobodyAsksForATenantsCertificates,
	TestNobodyButTheSchedulerPutsATenantsPodsOnNodes,
	TestNobodyHasATenantScaled,
	TestNobodyIsGivenATokenOfATenantsAccount,
	TestNobodyIsTakenForAPartOfKubernetes,
	TestTenantsThatCameToShareAHostGoOnBeingChanged,
	TestTheKubernetesAPIIsRecognisedInEveryFormOfItsName,
	TestTheOperatorHasNothingToDoWithRoles,
	TestTheOperatorTakesNoNamespaceForItsOwnByHalf,
	TestTheOperatorWritesNoOldPodSecurity,
	TestWhatIsNotTheOperatorsIsItsOwners,
	TestWhatOpensATenantIsTheOperatorsWhateverItIsCalled,
	TestATenantsVolumesComeNewAndFromItsRegion,
	TestNobodyLaysAClaimInATenantsWay,
	TestOnlyKubernetesBindsATenantsClaims,
	TestATenantWhoseRegionTurnsOutToLieOutsideIsStillCaredFor,
	TestAPodFromBeforeItsTenantHadNodesLivesOn,
	TestADefinitionThatNamesNoReleaseTakesAny,
	TestATokenIsForTheKeyServiceInUseWhicheverItIs,
	TestAPodIsNotPlacedAnywhereButInItsRegion,
	TestALivingTenantsNamespaceIsNotDeletedThoughConfirmed,
	TestAStatusIsWrittenByWhoWritesThatKind,
}

// TestEveryTestOfAdmissionJudges: one that is forgotten above would let clauses look needless.
func TestEveryTestOfAdmissionJudges(t *testing.T) {
	files, err := filepath.Glob("admission_*_test.go")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	var names []string
	for _, judge := range judges {
		names = append(names, nameOf(judge))
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range parsed.Decls {
			f, ok := declaration.(*ast.FuncDecl)
			if ok && strings.HasPrefix(f.Name.Name, "Test") && !slices.Contains(names, f.Name.Name) {
				t.Errorf("%s of %s is not among the judges of mutations", f.Name.Name, file)
			}
		}
	}
}
