// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

package child

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"syscall"

	"github.com/chattenant/chattenant/hack/bench/chat/target"
)

// Order says where a crowd of clients is to gather.
type Order struct {
	Address string      `json:"address"`
	Site    target.Site `json:"site"`
	People  int         `json:"people"`
	// FirstRoom is the number of the first client's address.
	FirstRoom int `json:"firstRoom"`
}

// Crowd is a crowd of clients in a process of its own. In life each of them brings a machine: here they get what time
// the server, the database and the other clients leave.
type Crowd struct{ process *Process }

// word is what parent and child say to each other: return, and how that went.
type word struct {
	Returned target.Returned `json:"returned,omitzero"`
	Error    string          `json:"error,omitempty"`
}

// StartCrowd runs this program again with args, as a crowd, and waits until all are connected.
func StartCrowd(ctx context.Context, order Order, args ...string) (*Crowd, error) {
	p, err := start(ctx, args)
	if err != nil {
		return nil, err
	}
	c := &Crowd{p}
	if _, err := c.say(order); err != nil {
		return nil, errors.Join(fmt.Errorf("gather a crowd: %w", err), c.Close())
	}
	return c, nil
}

// Return cuts everyone off and waits until all are back.
func (c *Crowd) Return() (target.Returned, error) {
	answer, err := c.say(word{})
	return answer.Returned, err
}

func (c *Crowd) say(what any) (word, error) {
	c.process.mu.Lock()
	defer c.process.mu.Unlock()
	var answer word
	if err := json.NewEncoder(c.process.in).Encode(what); err != nil {
		return answer, fmt.Errorf("ask the crowd: %w", err)
	}
	if err := c.process.answers.Decode(&answer); err != nil {
		return answer, fmt.Errorf("hear the crowd: %w", err)
	}
	if answer.Error != "" {
		return answer, errors.New(answer.Error)
	}
	return answer, nil
}

// Close disconnects everyone.
func (c *Crowd) Close() error { return c.process.Stop() }

// lowPriority is that of a crowd, which also computes on one core only: what ten thousand machines compute at the same
// moment, before they connect, would otherwise be all that this one does for seconds.
const lowPriority = 10

// ServeCrowd is the child's side.
func ServeCrowd(ctx context.Context, t target.Target, in io.Reader, out io.Writer) error {
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, lowPriority); err != nil {
		return fmt.Errorf("lower priority: %w", err)
	}
	runtime.GOMAXPROCS(1)
	questions, answers := json.NewDecoder(in), json.NewEncoder(out)
	var order Order
	if err := questions.Decode(&order); err != nil {
		return fmt.Errorf("read order: %w", err)
	}
	crowd, err := gather(ctx, t, order)
	if err != nil {
		return answers.Encode(word{Error: err.Error()})
	}
	if err := answers.Encode(word{}); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	for {
		var next word
		if err := questions.Decode(&next); errors.Is(err, io.EOF) {
			return crowd.Close()
		} else if err != nil {
			return fmt.Errorf("read order: %w", err)
		}
		returned, err := crowd.Return(ctx)
		answer := word{Returned: returned}
		if err != nil {
			answer.Error = err.Error()
		}
		if err := answers.Encode(answer); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
}

func gather(ctx context.Context, t target.Target, order Order) (target.Crowd, error) {
	client, err := t.At(order.Address, order.Site)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	gatherer, ok := client.(target.Gatherer)
	if !ok {
		return nil, errors.New("this adapter connects no crowds")
	}
	return gatherer.Gather(ctx, order.People, order.FirstRoom)
}
