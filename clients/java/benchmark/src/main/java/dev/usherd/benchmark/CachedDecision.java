package dev.usherd.benchmark;

import com.google.protobuf.Duration;
import com.google.protobuf.Timestamp;
import dev.usherd.AskOptions;
import dev.usherd.Decision;
import dev.usherd.DecisionCache;
import dev.usherd.Question;
import dev.usherd.UsherClient;
import dev.usherd.v1.AuthorizationServiceGrpc;
import dev.usherd.v1.AuthorizeRequest;
import dev.usherd.v1.AuthorizeResponse;
import dev.usherd.v1.Checkpoint;
import dev.usherd.v1.Effect;
import dev.usherd.v1.Mode;
import dev.usherd.v1.PrincipalKind;
import dev.usherd.v1.Reason;
import dev.usherd.v1.StreamTerms;
import dev.usherd.v1.SubscribeRequest;
import dev.usherd.v1.SubscribeResponse;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** What a decision costs that the cache has at hand, among 1,000 others, with a token of 1 KiB. */
@State(Scope.Benchmark)
@BenchmarkMode(org.openjdk.jmh.annotations.Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class CachedDecision {

  private static final int OTHERS = 1_000;

  private static final AskOptions PATIENT = AskOptions.defaults().deadline(java.time.Duration.ofSeconds(30));

  private Server server;
  private UsherClient client;
  private byte[] token;
  private Question question;

  /** Starts a server that allows everything, and has the cache hold what is asked. */
  @Setup(Level.Trial)
  public void start() throws IOException, InterruptedException {
    server =
        Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create())
            .addService(new AllowsAll())
            .build()
            .start();
    client =
        UsherClient.builder("127.0.0.1:" + server.getPort()).cache(DecisionCache.enabled()).build();
    token = "x".repeat(1024).getBytes(StandardCharsets.ISO_8859_1);
    question = fresh();
    while (client.cacheStatistics().entries() < OTHERS + 1) {
      client.authorize(question, PATIENT);
      for (int each = 0; each < OTHERS; each++) {
        client.authorize(Question.builder("token " + each, "/v1/chat/completions").model("gpt-4o").build(), PATIENT);
      }
    }
  }

  /** Ends both. */
  @TearDown(Level.Trial)
  public void end() {
    if (client.cacheStatistics().streamsLost() > 0) {
      throw new IllegalStateException("the stream was lost, so that something else was measured");
    }
    client.close();
    server.shutdownNow();
  }

  private Question fresh() {
    // As a server hands it over: a text of its own, whose hash nobody knows yet.
    return Question.builder(new String(token, StandardCharsets.ISO_8859_1), "/v1/chat/completions")
        .method("POST")
        .model("gpt-4o")
        .build();
  }

  /** The question is made once, and asked again. */
  @Benchmark
  public Decision sameQuestion() {
    return client.authorize(question);
  }

  /** The question is made anew each time, with a token that was just read. */
  @Benchmark
  public Decision freshQuestion() {
    return client.authorize(fresh());
  }

  private static final class AllowsAll extends AuthorizationServiceGrpc.AuthorizationServiceImplBase {

    private static final dev.usherd.v1.Decision ALLOW =
        dev.usherd.v1.Decision.newBuilder()
            .setEffect(Effect.EFFECT_ALLOW)
            .setReason(Reason.REASON_ALLOWED)
            .setPrincipal(dev.usherd.v1.Principal.newBuilder().setKind(PrincipalKind.PRINCIPAL_KIND_USER))
            .setDecisionId("d")
            .setCacheable(true)
            .setValidUntil(Timestamp.newBuilder().setSeconds(Instant.now().getEpochSecond() + 3600))
            .build();

    @Override
    public void authorize(AuthorizeRequest request, StreamObserver<AuthorizeResponse> out) {
      out.onNext(AuthorizeResponse.newBuilder().setDecision(ALLOW).build());
      out.onCompleted();
    }

    @Override
    public StreamObserver<SubscribeRequest> subscribe(StreamObserver<SubscribeResponse> out) {
      out.onNext(
          SubscribeResponse.newBuilder()
              .setCheckpoint(Checkpoint.getDefaultInstance())
              .setTerms(
                  StreamTerms.newBuilder()
                      .setMode(Mode.MODE_WATCH)
                      .setMaxSilence(Duration.newBuilder().setSeconds(600)))
              .build());
      return new StreamObserver<>() {
        @Override
        public void onNext(SubscribeRequest request) {
          for (SubscribeRequest.Add each : request.getAddList()) {
            out.onNext(
                SubscribeResponse.newBuilder().setId(each.getId()).setDecisionId("d").setDecision(ALLOW).build());
          }
        }

        @Override
        public void onError(Throwable failure) {}

        @Override
        public void onCompleted() {
          out.onCompleted();
        }
      };
    }
  }
}
