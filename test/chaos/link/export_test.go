// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package link

// Lossy counts the connections that have lost something.
func (l *Link) Lossy() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	lossy := 0
	for p := range l.pipes {
		if p.lossy {
			lossy++
		}
	}
	return lossy
}
