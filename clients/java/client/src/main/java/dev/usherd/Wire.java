package dev.usherd;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import dev.usherd.v1.AuthorizationServiceGrpc;
import dev.usherd.v1.AuthorizeRequest;
import dev.usherd.v1.AuthorizeResponse;
import dev.usherd.v1.BatchCheckRequest;
import dev.usherd.v1.BatchCheckResponse;
import dev.usherd.v1.ListModelsRequest;
import dev.usherd.v1.ListModelsResponse;
import dev.usherd.v1.SubscribeRequest;
import dev.usherd.v1.SubscribeResponse;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import java.io.InputStream;

/** The calls, with answers that are read without the parser's words: what cannot be read says nothing. */
final class Wire {

  private static final MethodDescriptor<AuthorizeRequest, AuthorizeResponse> AUTHORIZE =
      lenient(
          AuthorizationServiceGrpc.getAuthorizeMethod(),
          AuthorizeResponse.parser(),
          AuthorizeResponse.getDefaultInstance());
  private static final MethodDescriptor<SubscribeRequest, SubscribeResponse> SUBSCRIBE =
      lenient(
          AuthorizationServiceGrpc.getSubscribeMethod(),
          SubscribeResponse.parser(),
          SubscribeResponse.getDefaultInstance());

  /** Stands for one that cannot be read: an answer without anything would be a list of no models. */
  private static final ListModelsResponse NO_LIST =
      ListModelsResponse.newBuilder().setDenial(dev.usherd.v1.Decision.getDefaultInstance()).build();

  private static final MethodDescriptor<BatchCheckRequest, BatchCheckResponse> BATCH_CHECK =
      lenient(
          AuthorizationServiceGrpc.getBatchCheckMethod(),
          BatchCheckResponse.parser(),
          BatchCheckResponse.getDefaultInstance());
  private static final MethodDescriptor<ListModelsRequest, ListModelsResponse> LIST_MODELS =
      lenient(AuthorizationServiceGrpc.getListModelsMethod(), ListModelsResponse.parser(), NO_LIST);

  private final Channel channel;
  private final Bearer bearer;

  Wire(Channel channel, Bearer bearer) {
    this.channel = channel;
    this.bearer = bearer;
  }

  /** What a call shows of this caller. Throws CALLER_UNKNOWN where that cannot be sent. */
  Metadata shown() {
    return bearer.metadata();
  }

  /** Begins a call of Authorize. */
  ClientCall<AuthorizeRequest, AuthorizeResponse> authorize(
      CallOptions options, Metadata shown, ClientCall.Listener<AuthorizeResponse> listener) {
    return begun(AUTHORIZE, options, shown, listener);
  }

  /** Begins a call of Subscribe. */
  ClientCall<SubscribeRequest, SubscribeResponse> subscribe(
      Metadata shown, ClientCall.Listener<SubscribeResponse> listener) {
    return begun(SUBSCRIBE, CallOptions.DEFAULT, shown, listener);
  }

  /** Begins a call of BatchCheck. */
  ClientCall<BatchCheckRequest, BatchCheckResponse> batchCheck(
      CallOptions options, Metadata shown, ClientCall.Listener<BatchCheckResponse> listener) {
    return begun(BATCH_CHECK, options, shown, listener);
  }

  /** Begins a call of ListModels. */
  ClientCall<ListModelsRequest, ListModelsResponse> listModels(
      CallOptions options, Metadata shown, ClientCall.Listener<ListModelsResponse> listener) {
    return begun(LIST_MODELS, options, shown, listener);
  }

  private <Q, A> ClientCall<Q, A> begun(
      MethodDescriptor<Q, A> method, CallOptions options, Metadata shown, ClientCall.Listener<A> listener) {
    // What lasts has nothing to do with the call that this thread may be serving: it must not end with that.
    Context before = Context.ROOT.attach();
    try {
      ClientCall<Q, A> call = channel.newCall(method, options);
      call.start(listener, shown);
      return call;
    } finally {
      Context.ROOT.detach(before);
    }
  }

  private static <Q, A extends MessageLite> MethodDescriptor<Q, A> lenient(
      MethodDescriptor<Q, A> method, Parser<A> parser, A nothing) {
    MethodDescriptor.Marshaller<A> strict = method.getResponseMarshaller();
    return method.toBuilder(
            method.getRequestMarshaller(),
            new MethodDescriptor.Marshaller<A>() {
              @Override
              public InputStream stream(A value) {
                return strict.stream(value);
              }

              @Override
              public A parse(InputStream bytes) {
                try {
                  return parser.parseFrom(bytes);
                } catch (InvalidProtocolBufferException unreadable) {
                  return nothing;
                }
              }
            })
        .build();
  }
}
