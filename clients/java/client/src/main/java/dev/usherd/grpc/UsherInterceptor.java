package dev.usherd.grpc;

import dev.usherd.AskOptions;
import dev.usherd.Decision;
import dev.usherd.Question;
import dev.usherd.UsherFault;
import dev.usherd.Usherd;
import dev.usherd.http.Credential;
import dev.usherd.http.Headers;
import dev.usherd.http.RefusedException;
import dev.usherd.http.RequestReader;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletionException;
import java.util.function.Function;

/**
 * Asks usherd about every call of a gRPC server.
 *
 * <p>The route is the call's path, such as {@code /package.Service/Method}, and the method POST. Calls whose answer may
 * be a stream are watched, and cut once they are allowed no longer. What is served finds its decision in {@link #DECISION}.
 */
public final class UsherInterceptor implements ServerInterceptor {

  /** The decision on which a call is served. */
  public static final Context.Key<Decision> DECISION = Context.key("dev.usherd.decision");

  private final Usherd usherd;
  private final RequestReader reader;
  private final Function<Metadata, String> model;
  private final AskOptions options;

  private UsherInterceptor(
      Usherd usherd, RequestReader reader, Function<Metadata, String> model, AskOptions options) {
    this.usherd = Objects.requireNonNull(usherd, "usherd");
    this.reader = Objects.requireNonNull(reader, "reader");
    this.model = Objects.requireNonNull(model, "model");
    this.options = Objects.requireNonNull(options, "options");
  }

  /**
   * An interceptor for calls that ask for no model.
   *
   * @param usherd whom to ask; the interceptor does not close it
   * @return the interceptor
   */
  public static UsherInterceptor of(Usherd usherd) {
    return of(usherd, RequestReader.defaults(), metadata -> null, AskOptions.defaults());
  }

  /**
   * An interceptor.
   *
   * @param usherd whom to ask; the interceptor does not close it
   * @param reader how to read the credential out of the metadata
   * @param model names the model of a call; null: it asks for none
   * @param options with which each question is asked
   * @return the interceptor
   */
  public static UsherInterceptor of(
      Usherd usherd, RequestReader reader, Function<Metadata, String> model, AskOptions options) {
    return new UsherInterceptor(usherd, reader, model, options);
  }

  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, A> call, Metadata metadata, ServerCallHandler<Q, A> next) {
    Question question;
    try {
      Headers headers = name -> values(metadata, name);
      Credential credential = reader.credential("POST", headers);
      question =
          Question.builder(credential.token(), "/" + call.getMethodDescriptor().getFullMethodName())
              .method("POST")
              .model(model.apply(metadata))
              .build();
    } catch (RefusedException refused) {
      call.close(Status.UNAUTHENTICATED.withDescription(refused.getMessage()), new Metadata());
      return new ServerCall.Listener<>() {};
    }
    CutCall<Q, A> cuttable = new CutCall<>(call, usherd, question, options);
    LateListener<Q> late = new LateListener<>(cuttable::stop, cuttable::isCut);
    usherd
        .authorizeAsync(question, options)
        .whenComplete(
            (decision, failure) -> {
              if (decision == null || !decision.allowed()) {
                cuttable.end(decision != null ? denied(decision) : failed(failure));
                return;
              }
              try {
                cuttable.watch();
                late.serve(
                    () ->
                        Contexts.interceptCall(
                            Context.current().withValue(DECISION, decision), cuttable, metadata, next));
              } catch (RuntimeException bug) {
                cuttable.end(Status.INTERNAL.withDescription("internal error"));
                throw bug;
              }
            });
    return late;
  }

  static Status denied(Decision denial) {
    Status status =
        switch (denial.httpStatus()) {
          case 401 -> Status.UNAUTHENTICATED;
          case 429 -> Status.RESOURCE_EXHAUSTED;
          default -> Status.PERMISSION_DENIED;
        };
    return status.withDescription(denial.message());
  }

  /** The answer where there is no decision, which never says why. */
  static Status unknown() {
    return Status.UNAVAILABLE.withDescription("The authorization service gave no decision. Try again.");
  }

  private static Status failed(Throwable failure) {
    Throwable cause = failure instanceof CompletionException wrapped ? wrapped.getCause() : failure;
    return cause instanceof UsherFault ? unknown() : Status.INTERNAL.withDescription("internal error");
  }

  private static List<String> values(Metadata metadata, String name) {
    List<String> values = new ArrayList<>();
    if (!name.endsWith(Metadata.BINARY_HEADER_SUFFIX)) {
      Iterable<String> all = metadata.getAll(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER));
      if (all != null) {
        all.forEach(values::add);
      }
    }
    return values;
  }
}
