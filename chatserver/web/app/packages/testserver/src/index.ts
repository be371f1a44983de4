// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

export { Agents } from './agents';
export { FakeClock } from './clock';
export { Engine, Session, type EngineOptions, type Fault, type Peer } from './engine';
export { Host, type HostOptions, type SitePage } from './host';
export { Network } from './network';
export { Requests, type Made } from './requests';
export { seededRandom } from './random';
