/**
 * What a gateway that speaks HTTP needs around a decision: reading requests, session cookies, and answers to refusals.
 *
 * Nothing here waits for anybody, keeps anything, or knows a framework; the middlewares are made of it.
 *
 * @module
 */
export { clearSessions, setSession } from "./cookies.js";
export { readCredential, type Credential } from "./credential.js";
export {
  denialAnswer,
  faultAnswer,
  refusalAnswer,
  sseDenial,
  sseFault,
  type Denial,
  type HttpAnswer,
} from "./errors.js";
export {
  headersOf,
  Reading,
  RequestRefused,
  type Headers,
  type ReadingOptions,
  type RefusalCode,
} from "./reading.js";
export { readRequest, type RequestAsked } from "./request.js";
