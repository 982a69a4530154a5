/**
 * A filter for servlet containers.
 *
 * <p>Begin with {@link dev.usherd.servlet.UsherFilter}.
 */
package dev.usherd.servlet;
