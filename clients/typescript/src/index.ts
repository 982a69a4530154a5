/**
 * Asks usherd whether the holder of a token may call a route with a model, and fails closed.
 *
 * @module
 */
export {
  Usherd,
  type Authorizer,
  type AuthorizeOptions,
  type CallOptions,
  type UsherdOptions,
} from "./client.js";
export type { CacheStatistics } from "./cache/cache.js";
export type { ChannelOptions, Tls } from "./channel.js";
export { Decision, Principal, type CheckNote, type Model, type PrincipalKind } from "./decision.js";
export { ListDenied, UsherFault, type FaultKind } from "./faults.js";
export type { Question } from "./questions.js";
export type { WatchEvent } from "./watch.js";
