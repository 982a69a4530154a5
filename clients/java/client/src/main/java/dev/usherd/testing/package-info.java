/**
 * An usherd for tests of those who use this client.
 *
 * <p>Begin with {@link dev.usherd.testing.FakeUsherd}.
 */
package dev.usherd.testing;
