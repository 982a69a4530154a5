// Package usherdtest is a fake usherd for tests of gateways: a server in memory that a real client asks, so that the
// cache, watches and middleware do in tests what they do in production.
//
//	func TestABlockedTeamIsCutOff(t *testing.T) {
//		usher := usherdtest.NewServer(t)
//		usher.Set("alice-token", usherdtest.Allow())
//		guard := usherdhttp.New(usher.Client())
//		...
//		usher.Set("alice-token", usherdtest.Deny("TEAM_BLOCKED")) // whoever watches is told
//	}
//
// It denies whatever it was not told to allow.
package usherdtest
