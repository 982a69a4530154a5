/**
 * Asks usherd, the authorization service for AI gateways, and fails closed.
 *
 * <p>Begin with {@link dev.usherd.UsherClient}.
 */
package dev.usherd;
