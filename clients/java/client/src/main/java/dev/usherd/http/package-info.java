/**
 * Reads requests of any HTTP server, and writes the answers to those that may not pass.
 *
 * <p>Begin with {@link dev.usherd.http.RequestReader}.
 */
package dev.usherd.http;
