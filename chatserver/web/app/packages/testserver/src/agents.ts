// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { randomUUID } from 'node:crypto';
import type { Participant } from '@chattenant/protocol';

/** Local accounts, invitations and sessions of agents, in memory. */
export class Agents {
  readonly #accounts = new Map<string, { readonly password: string; readonly agent: Participant }>();
  readonly #invitations = new Map<string, { readonly email: string; readonly displayName: string }>();
  readonly #sessions = new Map<string, Participant>();
  /** Sign-ins answer that there were too many, until this is switched off. */
  limited = false;

  invite(email: string, displayName: string): string {
    const token = randomUUID();
    this.#invitations.set(token, { email, displayName });
    return token;
  }

  /** An account that needs no invitation any more. */
  add(email: string, displayName: string, password: string): Participant {
    const agent: Participant = { kind: 'agent', id: randomUUID(), displayName };
    this.#accounts.set(email, { password, agent });
    return agent;
  }

  redeem(token: string, password: string): Participant | undefined {
    const invitation = this.#invitations.get(token);
    this.#invitations.delete(token);
    return invitation && this.add(invitation.email, invitation.displayName, password);
  }

  check(email: string, password: string): Participant | undefined {
    const account = this.#accounts.get(email);
    return account?.password === password ? account.agent : undefined;
  }

  start(agent: Participant): string {
    const session = randomUUID();
    this.#sessions.set(session, agent);
    return session;
  }

  /** Who holds this `Cookie` header. */
  of(cookies: string | undefined): Participant | undefined {
    const session = /(?:^|; )__Host-session=([^;]+)/.exec(cookies ?? '')?.[1];
    return session === undefined ? undefined : this.#sessions.get(session);
  }

  /** Ends all sessions of an agent. */
  end(agent: Participant): void {
    for (const [session, holder] of this.#sessions) if (holder.id === agent.id) this.#sessions.delete(session);
  }
}
