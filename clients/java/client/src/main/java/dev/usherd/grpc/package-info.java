/**
 * An interceptor for gRPC servers.
 *
 * <p>Begin with {@link dev.usherd.grpc.UsherInterceptor}.
 */
package dev.usherd.grpc;
